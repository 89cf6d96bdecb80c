//! The source of a case: as it stands in the table, or put together from parts that repeat.
//!
//! A part is `{ text = "...", times = n }`. In its text `{i}` is the number of the repetition from 0, `{pad}` as many
//! spaces as that, `{dap}` the spaces of the repetitions counted down (`times - 1 - i`), and `{end}` `times` of them.

use toml::{Table, Value};

/// The source of a case or control: of `source` or of `parts`, one of which it must have.
pub fn of(entry: &Table) -> Result<String, String> {
    match (entry.get("source"), entry.get("parts")) {
        (Some(Value::String(source)), None) => Ok(source.clone()),
        (None, Some(Value::Array(parts))) => parts.iter().map(part).collect(),
        _ => Err("needs either a source or parts".to_owned()),
    }
}

fn part(part: &Value) -> Result<String, String> {
    let text = part.get("text").and_then(Value::as_str).ok_or("a part needs a text")?;
    let times = match part.get("times") {
        None => 1,
        Some(times) => times.as_integer().and_then(|times| usize::try_from(times).ok()).ok_or("times is a number")?,
    };
    Ok((0..times)
        .map(|i| {
            if !text.contains('{') {
                return text.to_owned();
            }
            text.replace("{i}", &i.to_string())
                .replace("{pad}", &" ".repeat(i))
                .replace("{dap}", &" ".repeat(times - 1 - i))
                .replace("{end}", &" ".repeat(times))
        })
        .collect())
}

#[test]
fn parts_repeat() {
    let entry: Table = toml::from_str(
        r#"parts = [{ text = "{pad}if x{i}:\n", times = 2 }, { text = "  pass\n" }, { text = "{dap}#{end}|\n", times = 2 }]"#,
    )
    .unwrap();
    assert_eq!(of(&entry).unwrap(), "if x0:\n if x1:\n  pass\n #  |\n#  |\n");
}
