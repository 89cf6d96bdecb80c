//! What the host of the escaping programs has given them, in the hope that some of it leads further than it should.

use super::escape::SECRET;
use pycage::{CallContext, Callback, Error, Handle, HostObject, Kwargs, Members, Rest, Sandbox, Value};

/// A host object with every kind of member, and something that is none.
struct Hero {
    label: String,
    items: Vec<i64>,
    hidden: &'static str,
}

impl HostObject for Hero {
    const NAME: &'static str = "Hero";

    fn members(members: &mut Members<Self>) {
        members
            .field("size", |hero| hero.items.len())
            .field_mut("label", |hero| hero.label.clone(), |hero, label: String| hero.label = label)
            .method("add", |hero: &mut Hero, item: i64| hero.items.push(item))
            .method("each", |hero: &Hero, context: CallContext, f: Callback| -> Result<Vec<Value>, Error> {
                hero.items.iter().map(|item| context.call::<Value>(&f, (*item,))).collect()
            })
            .len(|hero| hero.items.len())
            .index(|hero, index: i64| usize::try_from(index).ok().and_then(|index| hero.items.get(index).copied()))
            .contains(|hero, item: i64| hero.items.contains(&item))
            .iter(|hero| hero.items.clone())
            // What a script must never see is used, so that it is there.
            .repr(|hero| format!("Hero({})", hero.hidden.len()));
    }
}

/// Gives a sandbox an object, functions that take values and callables, and something to await.
pub fn equip(sandbox: &mut Sandbox) -> Result<(), Error> {
    let hero = Handle::new(Hero { label: "hero".to_owned(), items: vec![1, 2, 3], hidden: SECRET });
    sandbox.set("hero", hero.clone())?;
    sandbox.function("hand", move || hero.clone())?;
    sandbox.function("ask", |text: String| text.len() as i64)?;
    sandbox.function("apply", |context: CallContext, f: Callback, args: Rest<Value>, _: Kwargs<Value>| {
        context.call::<Value>(&f, args.0)
    })?;
    sandbox.awaitable("wait")
}
