//! Functions and objects that borrow from the host, for the time of a scope.
//!
//! The borrow lies in a [`Slot`] that both sides share. Whoever uses it holds the slot's lock. The end of the scope takes
//! the borrow out of the slot, under the same lock: it waits for a use that is under way, and there is none after it,
//! whatever the script kept and whichever thread still runs. What is lent runs host code alone (it cannot call the script
//! back), so that the wait is for the host's own code, and never for a script.

use crate::error::Error;
use crate::host::args::Arguments;
use crate::host::failure::CallFailure;
use crate::host::function::{Erased, HostFunctionMut};
use crate::host::object::slot::Slot;
use crate::host::object::{AnyObject, Body, HostObject, Lent, new_class};
use crate::sandbox::Sandbox;
use crate::stubs::signature::Signature;
use crate::value::Value;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

type LentFunction<'env> = Box<dyn FnMut(&mut Arguments<'_>) -> Result<Value, CallFailure> + Send + 'env>;

/// A time in which the host lends to a sandbox what it only borrows itself; see [`Sandbox::scope`].
///
/// It is also the [`Sandbox`], with all its methods.
///
/// ```
/// let mut total = 0;
/// let mut sandbox = pycage::Sandbox::new()?;
/// sandbox.scope(|scope| {
///     scope.function("add", |n: i64| total += n)?;
///     scope.set("step", 3)?;
///     scope.exec("add(step)")
/// })?;
/// assert_eq!(total, 3);
/// # Ok::<(), pycage::Error>(())
/// ```
pub struct Scope<'scope, 'env> {
    sandbox: &'scope mut Sandbox,
    objects: Vec<AnyObject>,
    functions: Vec<Arc<Slot<LentFunction<'static>>>>,
    /// Invariant: no shorter lifetime may be passed off as the one that outlives the scope.
    env: PhantomData<&'env mut &'env ()>,
}

impl<'env> Scope<'_, 'env> {
    /// Lends an object: a value to be set as a global or passed to a call. When the scope ends it is taken back: a script
    /// that kept it gets `ReferenceError`.
    ///
    /// ```
    /// use pycage::{HostObject, Members, Sandbox};
    ///
    /// struct World<'a> { names: &'a [&'a str], ticks: u32 }
    ///
    /// impl HostObject for World<'_> {
    ///     const NAME: &'static str = "World";
    ///     fn members(members: &mut Members<Self>) {
    ///         members
    ///             .field("ticks", |world| world.ticks)
    ///             .method("tick", |world: &mut Self| world.ticks += 1)
    ///             .method("name", |world: &Self, index: usize| world.names.get(index).map(|name| name.to_string()));
    ///     }
    /// }
    ///
    /// let names = ["ada", "bob"];
    /// let mut world = World { names: &names, ticks: 0 };
    /// let mut sandbox = Sandbox::new()?;
    /// sandbox.exec("def frame(world):\n    global kept\n    kept = world\n    world.tick()\n    return world.name(1)")?;
    /// let name: String = sandbox.scope(|scope| {
    ///     let world = scope.object(&mut world);
    ///     scope.call("frame", (world,))
    /// })?;
    /// assert_eq!((name.as_str(), world.ticks), ("bob", 1));
    /// assert!(sandbox.exec("kept.tick()").is_err());
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn object<T: HostObject + 'env>(&mut self, value: &'env mut T) -> Value {
        let class = new_class::<T>();
        let table = class.table.clone();
        let body: Box<dyn Body + 'env> = Box::new(Lent { class, value });
        // SAFETY: only the lifetime changes. The body is reached through the slot of the object made here alone, under its
        // lock. `take_back` empties that slot before `'env` ends: `Sandbox::scope` runs it, by `Drop` of this scope, before
        // it returns or unwinds, and `'env` outlives that call; nobody else can move or forget the scope, as they get it by
        // reference, of a type that names a lifetime of its own.
        let body: Box<dyn Body> = unsafe { std::mem::transmute::<Box<dyn Body + 'env>, Box<dyn Body + 'static>>(body) };
        let object = AnyObject::new(table, None, body);
        self.objects.push(object.clone());
        Value::Object(object)
    }

    /// Lends a closure, as a global function of the sandbox; see [`HostFunction`](crate::HostFunction) for what it may
    /// take. When the scope ends it is taken back: a script that calls it then gets `ReferenceError`.
    ///
    /// # Errors
    /// [`Error::Setup`] when the name begins with two underscores.
    ///
    /// ```
    /// use pycage::Sandbox;
    ///
    /// let mut log = Vec::new();
    /// let mut sandbox = Sandbox::new()?;
    /// sandbox.scope(|scope| {
    ///     scope.function("log", |line: &str| log.push(line.to_owned()))?;
    ///     scope.exec("log('one')\nlog('two')")
    /// })?;
    /// assert_eq!(log, ["one", "two"]);
    /// assert!(sandbox.exec("log('three')").is_err());
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn function<Args>(&mut self, name: &str, mut function: impl HostFunctionMut<Args> + 'env) -> Result<(), Error> {
        let signature = signature_of(&function);
        let function: LentFunction<'env> = Box::new(move |args: &mut Arguments<'_>| function.invoke_mut(args));
        // SAFETY: as in `object`: the slot made here is the one way to the closure, and is emptied before `'env` ends.
        let function = unsafe { std::mem::transmute::<LentFunction<'env>, LentFunction<'static>>(function) };
        let slot = Arc::new(Slot::new(function));
        self.functions.push(slot.clone());
        let title = name.to_owned();
        let erased: Erased = Arc::new(move |args: &mut Arguments<'_>| {
            args.lent = true;
            let why = match slot.lock(|free| free()) {
                Ok(mut function) => return function(args),
                Err(why) => why,
            };
            Err(why.failure(&format!("function {title}")))
        });
        self.sandbox.set_erased(name, Vec::new(), signature, erased)
    }

    /// Takes everything back. Waits for what runs on another thread at this moment.
    fn take_back(&mut self) {
        // All of it, before any of it is dropped: what a closure has captured may panic when it goes.
        let objects: Vec<_> = self.objects.iter().map(|object| object.inner.body.revoke()).collect();
        let functions: Vec<_> = self.functions.iter().map(|function| function.revoke()).collect();
        drop((objects, functions));
    }
}

fn signature_of<Args, Function: HostFunctionMut<Args>>(_: &Function) -> fn() -> Signature {
    Function::signature
}

impl Drop for Scope<'_, '_> {
    fn drop(&mut self) {
        self.take_back();
    }
}

impl Deref for Scope<'_, '_> {
    type Target = Sandbox;

    fn deref(&self) -> &Sandbox {
        self.sandbox
    }
}

impl DerefMut for Scope<'_, '_> {
    fn deref_mut(&mut self) -> &mut Sandbox {
        self.sandbox
    }
}

impl Sandbox {
    /// Runs a closure in which the sandbox can be lent what the host only borrows: objects by [`Scope::object`], closures
    /// by [`Scope::function`]. The scope is also the sandbox. When the closure ends, everything is taken back.
    ///
    /// What is lent cannot call the script back ([`CallContext::call`](crate::CallContext::call) answers an error), so that
    /// the end of a scope never waits for a script.
    ///
    /// ```
    /// use pycage::Sandbox;
    ///
    /// let mut score = 0;
    /// let mut sandbox = Sandbox::new()?;
    /// sandbox.scope(|scope| {
    ///     scope.function("add", |points: i64| score += points)?;
    ///     scope.exec("for i in range(5): add(i)")
    /// })?;
    /// assert_eq!(score, 10);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    ///
    /// What is lent must outlive the scope; the compiler sees to it:
    ///
    /// ```compile_fail,E0373
    /// use pycage::Sandbox;
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// sandbox.scope(|scope| {
    ///     let mut score = 0;
    ///     scope.function("add", |points: i64| score += points)
    /// })?;
    /// # Ok::<(), pycage::Error>(())
    /// ```
    ///
    /// While it is lent it cannot be used otherwise:
    ///
    /// ```compile_fail,E0506
    /// use pycage::Sandbox;
    ///
    /// let mut score = 0;
    /// let mut sandbox = Sandbox::new()?;
    /// sandbox.scope(|scope| {
    ///     scope.function("add", |points: i64| score += points)?;
    ///     score = 5;
    ///     scope.exec("add(1)")
    /// })?;
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn scope<'env, R>(&mut self, f: impl for<'scope> FnOnce(&mut Scope<'scope, 'env>) -> R) -> R {
        let mut scope = Scope { sandbox: self, objects: Vec::new(), functions: Vec::new(), env: PhantomData };
        f(&mut scope)
    }
}
