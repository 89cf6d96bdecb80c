//! What a case must come to, as tables say it: `ok`, `any`, `rejected`, `rejected:RULE`, `budget`, `budget:LIMIT`,
//! `exception`, `exception:TYPE`, or several of them with `|` between.

use serde_json::Value as Json;

/// What is wrong with what came of a case, if anything.
pub fn check(expected: &str, came: &Json) -> Result<(), String> {
    let outcome = outcome(came);
    if !["ok", "exception", "rejected", "budget"].contains(&came["outcome"].as_str().unwrap_or_default()) {
        return Err(format!("came to {outcome}: {:.300}", came["error"].to_string()));
    }
    for one in expected.split('|').map(str::trim) {
        if !is_known(one) {
            return Err(format!("'{one}' is no expectation"));
        }
        // `budget` stands for every budget.
        if one == "any" || outcome == one || outcome.strip_prefix(one).is_some_and(|rest| rest.starts_with(':')) {
            return Ok(());
        }
    }
    Err(format!("expected {expected}, came to {outcome}: {:.300}", came["error"].to_string()))
}

/// Whether a table may say so: an expectation that nothing can meet is a mistake of its author.
pub fn is_known(one: &str) -> bool {
    let (kind, detail) = one.split_once(':').map_or((one, None), |(kind, detail)| (kind, Some(detail)));
    match kind {
        "ok" | "any" => detail.is_none(),
        "rejected" | "exception" => detail != Some(""),
        "budget" => detail.is_none_or(|limit| {
            ["instructions", "allocations", "memory", "time", "output", "host_calls"].contains(&limit)
        }),
        _ => false,
    }
}

/// The outcome of a JSON line in the words of the tables, as exactly as they can say it.
pub fn outcome(came: &Json) -> String {
    let outcome = came["outcome"].as_str().unwrap_or("nothing");
    let detail = match outcome {
        "exception" => &came["error"]["kind"],
        "rejected" => &came["error"]["rule"],
        "budget" => &came["error"]["limit"],
        _ => &Json::Null,
    };
    detail.as_str().map_or_else(|| outcome.to_owned(), |detail| format!("{outcome}:{detail}"))
}

#[test]
fn says_what_a_table_says() {
    let budget = serde_json::json!({ "outcome": "budget", "error": { "limit": "memory" } });
    for good in ["any", "budget", "budget:memory", "ok | budget:memory"] {
        assert_eq!(check(good, &budget), Ok(()), "{good}");
    }
    for bad in ["ok", "budget:time", "exception", "budgets", "budget:mem"] {
        assert!(check(bad, &budget).is_err(), "{bad}");
    }
    let crashed = serde_json::json!({ "outcome": "crashed", "error": { "kind": "Crashed" } });
    assert!(check("any", &crashed).is_err());
}
