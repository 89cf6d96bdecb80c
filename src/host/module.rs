//! Modules of the host's own, which scripts import by name.

use crate::compile::names;
use crate::error::Error;
use crate::guard::facade::ModuleFacade;
use crate::host::function::{self, Erased, HostFunction, NewFunction};
use crate::host::{awaitable, convert};
use crate::stubs::classes::Classes;
use crate::stubs::given::{Item, ValueHint};
use crate::stubs::python;
use crate::stubs::signature::Signature;
use crate::value::{IntoValue, Value};
use rustpython_vm::{PyObjectRef, PyRef, PyResult, VirtualMachine};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

/// A module of the host: functions, constants, objects and awaitables under a name that scripts import.
///
/// It is given to a sandbox with [`SandboxBuilder::module`](crate::SandboxBuilder::module). Scripts see what it lists and
/// nothing else, and cannot change it. Each sandbox has a module of its own: constants are copied for each, functions and
/// host objects are shared by all that are given the same (a clone of) module.
///
/// ```
/// use pycage::{Handle, HostModule, HostObject, Members, Sandbox};
///
/// struct World { day: u32 }
///
/// impl HostObject for World {
///     const NAME: &'static str = "World";
///     fn members(members: &mut Members<Self>) {
///         members.field("day", |world| world.day);
///     }
/// }
///
/// let game = HostModule::new("game")
///     .constant("MAX_LEVEL", 50)
///     .constant("world", Handle::new(World { day: 3 }))
///     .function("spawn", |kind: &str| format!("a new {kind}"))
///     .function_named("move_to", ["x", "y"], |x: i64, y: i64| x + y);
/// let mut sandbox = Sandbox::builder().module(game).build()?;
/// let source = "
/// import game
/// from game import spawn, MAX_LEVEL
/// (spawn('orc'), MAX_LEVEL, game.world.day, game.move_to(y=2, x=1))";
/// assert_eq!(sandbox.eval::<(String, i64, u32, i64)>(source)?, ("a new orc".into(), 50, 3, 3));
/// assert!(sandbox.exec("import game\ngame.MAX_LEVEL = 99").is_err());
/// assert!(sandbox.exec("import shop").is_err());
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "give it to a sandbox with `SandboxBuilder::module`"]
pub struct HostModule {
    pub(crate) name: String,
    pub(crate) members: Vec<Member>,
    pub(crate) doc: Cow<'static, str>,
}

#[derive(Clone)]
pub(crate) struct Member {
    pub name: String,
    pub kind: Kind,
    /// What it is to stubs. A worker has no need of it.
    pub item: Option<Item>,
    pub doc: Cow<'static, str>,
}

impl Member {
    pub(crate) fn new(name: String, kind: Kind, item: Option<Item>) -> Self {
        Member { name, kind, item, doc: Cow::Borrowed("") }
    }
}

#[derive(Clone)]
pub(crate) enum Kind {
    Constant(Value),
    Function {
        /// Names of its parameters, for keywords.
        parameters: Vec<String>,
        function: Erased,
    },
    Awaitable,
    #[cfg(feature = "async")]
    Async(crate::future::AsyncFunction),
}

impl HostModule {
    /// An empty module. The name is an identifier, without dots.
    ///
    /// ```
    /// use pycage::{HostModule, Sandbox};
    ///
    /// let mut sandbox = Sandbox::builder().module(HostModule::new("game")).build()?;
    /// sandbox.exec("import game")?;
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn new(name: impl Into<String>) -> Self {
        HostModule { name: name.into(), members: Vec::new(), doc: Cow::Borrowed("") }
    }

    /// The name that scripts import it by.
    ///
    /// ```
    /// assert_eq!(pycage::HostModule::new("game").name(), "game");
    /// ```
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Adds a value, copied for each sandbox, or a [`Handle`](crate::Handle) to a host object.
    ///
    /// ```
    /// use pycage::{HostModule, Sandbox};
    ///
    /// let game = HostModule::new("game").constant("COLOURS", ["red", "blue"]);
    /// let mut sandbox = Sandbox::builder().module(game).build()?;
    /// assert_eq!(sandbox.eval::<String>("import game\ngame.COLOURS[1]")?, "blue");
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn constant(self, name: impl Into<String>, value: impl IntoValue) -> Self {
        let (value, hint) = ValueHint::taken(value);
        self.with(name, Kind::Constant(value), Item::Value(hint))
    }

    /// Adds a function, as [`Sandbox::function`](crate::Sandbox::function) makes one a global.
    ///
    /// ```
    /// use pycage::{HostModule, Sandbox};
    ///
    /// let dice = HostModule::new("dice").function("roll", |sides: u32| sides / 2 + 1);
    /// let mut sandbox = Sandbox::builder().module(dice).build()?;
    /// assert_eq!(sandbox.eval::<u32>("from dice import roll\nroll(6)")?, 4);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn function<Args: 'static>(
        self,
        name: impl Into<String>,
        function: impl HostFunction<Args> + Sync + 'static,
    ) -> Self {
        let item = Item::Function { parameters: Vec::new(), signature: function::signature_of(&function) };
        self.with(name, Kind::Function { parameters: Vec::new(), function: function::erase(function) }, item)
    }

    /// Adds a function whose parameters have names, so that scripts can pass keywords.
    ///
    /// ```
    /// use pycage::{HostModule, Sandbox};
    ///
    /// let ui = HostModule::new("ui").function_named("label", ["text", "size"], |text: &str, size: Option<u32>| {
    ///     format!("{text}@{}", size.unwrap_or(12))
    /// });
    /// let mut sandbox = Sandbox::builder().module(ui).build()?;
    /// assert_eq!(sandbox.eval::<String>("import ui\nui.label('hi', size=20)")?, "hi@20");
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn function_named<Args: 'static, Name: Into<String>>(
        self,
        name: impl Into<String>,
        parameters: impl IntoIterator<Item = Name>,
        function: impl HostFunction<Args> + Sync + 'static,
    ) -> Self {
        let parameters: Vec<String> = parameters.into_iter().map(Into::into).collect();
        let item = Item::Function { parameters: parameters.clone(), signature: function::signature_of(&function) };
        self.with(name, Kind::Function { parameters, function: function::erase(function) }, item)
    }

    /// Adds a function that scripts await in a [`Task`](crate::Task), as [`Sandbox::awaitable`](crate::Sandbox::awaitable)
    /// makes one a global. The [`Request`](crate::Request) carries its full name, such as `host.sleep`.
    ///
    /// ```
    /// use pycage::{Budget, HostModule, Progress, Sandbox};
    ///
    /// let mut sandbox = Sandbox::builder().module(HostModule::new("host").awaitable("sleep")).build()?;
    /// sandbox.exec("
    /// import host
    /// async def nap():
    ///     return await host.sleep(3)
    /// ")?;
    /// let mut task = sandbox.start("nap", ())?;
    /// let Progress::Awaiting(request) = task.resume(Budget::default())? else { panic!("it sleeps") };
    /// assert_eq!((request.name.as_str(), request.args.len()), ("host.sleep", 1));
    /// assert!(matches!(task.resume_with("rested", Budget::default())?, Progress::Done(_)));
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn awaitable(self, name: impl Into<String>) -> Self {
        self.with(name, Kind::Awaitable, Item::Awaitable(Signature::unknown))
    }

    /// Adds a closure that answers a future, which scripts await in [`Sandbox::call_async`](crate::Sandbox::call_async) and
    /// [`Sandbox::eval_async`](crate::Sandbox::eval_async); see
    /// [`Sandbox::async_function`](crate::Sandbox::async_function).
    ///
    /// ```
    /// use pycage::{HostModule, Sandbox};
    ///
    /// let host = HostModule::new("host").async_function("price", |item: String| async move { item.len() as i64 });
    /// let mut sandbox = Sandbox::builder().module(host).build()?;
    /// sandbox.exec("
    /// import host
    /// async def cost(item):
    ///     return await host.price(item)
    /// ")?;
    /// // On an executor: sandbox.call_async::<i64>("cost", ("axe",)).await
    /// # Ok::<(), pycage::Error>(())
    /// ```
    #[cfg(feature = "async")]
    pub fn async_function<Args: 'static>(
        self,
        name: impl Into<String>,
        function: impl crate::AsyncHostFunction<Args>,
    ) -> Self {
        let item = Item::Awaitable(crate::future::signature_of(&function));
        self.with(name, Kind::Async(std::sync::Arc::new(move |args| function.call(args))), item)
    }

    fn with(mut self, name: impl Into<String>, kind: Kind, item: Item) -> Self {
        self.members.push(Member::new(name.into(), kind, Some(item)));
        self
    }

    /// Documents the member that was added last, or the module where it stands first, for
    /// [`Sandbox::stubs`](crate::Sandbox::stubs).
    ///
    /// ```
    /// use pycage::{HostModule, Sandbox};
    ///
    /// let dice = HostModule::new("dice")
    ///     .doc("Chance.")
    ///     .function_named("roll", ["sides"], |sides: u32| sides / 2 + 1)
    ///     .doc("Always the same.");
    /// let files = Sandbox::builder().module(dice).build()?.stubs().files();
    /// let stub = &files["typeshed/stdlib/dice.pyi"];
    /// assert!(stub.starts_with("\"\"\"Chance.\"\"\"\n"));
    /// assert!(stub.ends_with("def roll(sides: int) -> int:\n    \"\"\"Always the same.\"\"\"\n"));
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn doc(mut self, doc: impl Into<Cow<'static, str>>) -> Self {
        match self.members.last_mut() {
            Some(member) => member.doc = doc.into(),
            None => self.doc = doc.into(),
        }
        self
    }

    /// The module in a checker's eyes.
    pub(crate) fn stub(&self, classes: &mut Classes) -> String {
        let mut text = String::new();
        if !self.doc.trim().is_empty() {
            text += &python::docstring(&self.doc, "");
        }
        text += "from typing import Any, Awaitable, Callable, Final\n\n";
        for member in &self.members {
            if let Some(item) = &member.item {
                text += &item.write(&member.name, &member.doc, true, classes);
            }
        }
        text
    }

    /// Whether scripts can use all of it.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let refuse = |why: String| Err(Error::Setup(format!("the module '{}': {why}", self.name)));
        if !identifier(&self.name) {
            return refuse(
                "a script cannot import that name; use an identifier without leading underscores".to_owned(),
            );
        }
        let mut seen = BTreeSet::new();
        for Member { name, kind, .. } in &self.members {
            if !identifier(name) {
                return refuse(format!("a script cannot write '{name}' behind a dot; use a public identifier"));
            }
            if !seen.insert(name.as_str()) {
                return refuse(format!("it has two members named '{name}'"));
            }
            if let Kind::Constant(value) = kind
                && let Some(type_name) = of_a_script(value)
            {
                return refuse(format!("'{name}' holds a {type_name}, which belongs to the sandbox that it came from"));
            }
        }
        Ok(())
    }

    /// The name of a member beyond the module, for messages and requests.
    pub(crate) fn full_name(&self, member: &Member) -> String {
        format!("{}.{}", self.name, member.name)
    }

    /// The module as one sandbox's scripts see it.
    pub(crate) fn facade(&self, vm: &VirtualMachine) -> PyResult<PyRef<ModuleFacade>> {
        let members = vm.ctx.new_dict();
        for member in &self.members {
            members.set_item(member.name.as_str(), self.object(member, vm)?, vm)?;
        }
        Ok(ModuleFacade::new(self.name.as_str(), members, vm))
    }

    fn object(&self, member: &Member, vm: &VirtualMachine) -> PyResult<PyObjectRef> {
        let name = self.full_name(member);
        Ok(match &member.kind {
            Kind::Constant(value) => convert::to_python(value, vm)
                .map_err(|error| vm.new_type_error(format!("the constant {name}: {}", error.message)))?,
            Kind::Function { parameters, function } => {
                let (parameters, function) = (parameters.clone(), function.clone());
                function::object(NewFunction { name, parameters, function }, vm)
            }
            Kind::Awaitable => awaitable::object(&name, vm),
            #[cfg(feature = "async")]
            Kind::Async(_) => awaitable::object(&name, vm),
        })
    }
}

impl fmt::Debug for HostModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members = self.members.iter().map(|member| &member.name);
        write!(f, "HostModule({} ", self.name)?;
        f.debug_list().entries(members).finish()?;
        f.write_str(")")
    }
}

/// Whether a script can import this name, or write it behind a dot.
pub(crate) fn identifier(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|first| first.is_ascii_alphabetic())
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
        && names::attribute(name).is_ok()
}

/// What of a script a value holds, if anything.
fn of_a_script(value: &Value) -> Option<&'static str> {
    match value {
        Value::List(items) | Value::Tuple(items) | Value::Set(items) => items.iter().find_map(of_a_script),
        Value::Dict(entries) => entries.iter().find_map(|(key, value)| of_a_script(key).or_else(|| of_a_script(value))),
        Value::Function(_) => Some("function"),
        Value::Opaque(_) => Some("object of a script"),
        _ => None,
    }
}
