//! Objects of the host that scripts use: never copied, and reached through an explicit list of members.
//!
//! * [`members`]: that list.
//! * [`slot`]: where the object lies: one user at a time, and it can be taken back.
//! * [`instance`], [`bound`]: how scripts see it.

mod bound;
pub(crate) mod description;
mod instance;
pub(crate) mod members;
pub(crate) mod method;
pub(crate) mod slot;

pub(crate) use instance::HostInstance;
#[cfg(feature = "process")]
pub(crate) use instance::MAX_ITERATORS;

use crate::error::ConversionError;
use crate::host::args::Arguments;
use crate::host::failure::{CallFailure, ExceptionType, Raise};
use crate::stubs::hint::TypeHint;
use crate::value::{FromValue, IntoValue, Value};
use members::{Class, Items, Members, Operator, Table};
use parking_lot::Mutex;
use slot::{Held, Slot, Unavailable};
use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

/// A type of the host whose objects scripts can use.
///
/// An object is not copied when it crosses: the script gets a handle to it. What a script can do with it is what
/// [`HostObject::members`] lists, and nothing else: an attribute that is not listed is not there, and no attribute can be
/// added. Its class cannot be reached, called or inherited from.
///
/// There are two ways to hand one over: a [`Handle`] owns its object together with its clones and the scripts that have
/// it, and [`Sandbox::scope`](crate::Sandbox::scope) lends one for the time of some calls.
///
/// One thread uses an object at a time, and it uses it alone: while a member runs, another use of the same object (by a
/// callback that the member calls, say) raises `RuntimeError` in the script.
///
/// ```
/// use pycage::{Handle, HostObject, Members, Raise, ExceptionType, Sandbox};
///
/// struct Enemy { name: String, hp: i64 }
///
/// impl HostObject for Enemy {
///     const NAME: &'static str = "Enemy";
///
///     fn members(members: &mut Members<Self>) {
///         members
///             .field("name", |enemy| enemy.name.clone())
///             .field_mut("hp", |enemy| enemy.hp, |enemy, hp: i64| -> Result<(), Raise> {
///                 if hp > 100 {
///                     return Err(Raise::new(ExceptionType::ValueError, "hp is at most 100"));
///                 }
///                 enemy.hp = hp;
///                 Ok(())
///             })
///             .method("hit", |enemy: &mut Enemy, damage: i64| {
///                 enemy.hp -= damage;
///                 enemy.hp > 0
///             })
///             .repr(|enemy| format!("<Enemy {}>", enemy.name));
///     }
/// }
///
/// let mut sandbox = Sandbox::new()?;
/// let orc = Handle::new(Enemy { name: "orc".into(), hp: 20 });
/// sandbox.set("orc", orc.clone())?;
/// assert!(sandbox.eval::<bool>("orc.hit(5)")?);
/// sandbox.exec("orc.hp += 1")?;
/// assert_eq!(orc.borrow().unwrap().hp, 16);
/// assert_eq!(sandbox.eval::<String>("repr(orc)")?, "<Enemy orc>");
/// assert!(sandbox.exec("orc.hp = 1000").is_err());
/// assert!(sandbox.exec("orc.name = 'elf'").is_err());
/// assert!(sandbox.exec("orc.armour").is_err());
/// # Ok::<(), pycage::Error>(())
/// ```
pub trait HostObject: Sized + Send {
    /// The name of the type, as scripts see it in messages.
    const NAME: &'static str;

    /// Lists the members. Asked once for a type whose objects are owned, and each time one is lent.
    ///
    /// ```
    /// use pycage::{HostObject, Members};
    ///
    /// struct Door { open: bool }
    ///
    /// impl HostObject for Door {
    ///     const NAME: &'static str = "Door";
    ///     fn members(members: &mut Members<Self>) {
    ///         members.field_mut("open", |door| door.open, |door, open: bool| door.open = open);
    ///     }
    /// }
    /// ```
    fn members(members: &mut Members<Self>);
}

/// A shared handle to a host object of type `T`, for the host.
///
/// Clones are handles to the same object. It can be sent to other threads, and is a parameter of host functions:
/// `|enemy: Handle<Enemy>|`.
///
/// ```
/// use pycage::{Handle, HostObject, Members, Sandbox};
///
/// struct Door { open: bool }
///
/// impl HostObject for Door {
///     const NAME: &'static str = "Door";
///     fn members(members: &mut Members<Self>) {
///         members.field("open", |door| door.open);
///     }
/// }
///
/// let mut sandbox = Sandbox::new()?;
/// sandbox.set("gate", Handle::new(Door { open: false }))?;
/// sandbox.function("unlock", |door: Handle<Door>| door.borrow().map(|mut door| door.open = true))?;
/// assert!(sandbox.eval::<bool>("unlock(gate)\ngate.open")?);
/// let gate: Handle<Door> = sandbox.get("gate")?;
/// assert!(gate.borrow().unwrap().open);
/// # Ok::<(), pycage::Error>(())
/// ```
pub struct Handle<T> {
    object: AnyObject,
    marker: PhantomData<fn() -> T>,
}

impl<T: HostObject + 'static> Handle<T> {
    /// An object for scripts to use.
    ///
    /// ```
    /// # use pycage::{Handle, HostObject, Members};
    /// # struct Door(bool);
    /// # impl HostObject for Door { const NAME: &'static str = "Door"; fn members(_: &mut Members<Self>) {} }
    /// let door = Handle::new(Door(true));
    /// assert_eq!(door, door.clone());
    /// ```
    pub fn new(value: T) -> Self {
        let class = class_of::<T>();
        let table = class.table.clone();
        let body: Box<dyn Body> = Box::new(Owned { class, value });
        Handle { object: AnyObject::new(table, Some(TypeId::of::<T>()), body), marker: PhantomData }
    }

    /// Uses the object. While the borrow lives, a script that uses the object waits a little, and then raises
    /// `RuntimeError`: so do not hold it across a call into a sandbox that has the object.
    ///
    /// # Errors
    /// [`InUse`] when this thread uses it already (a member that calls out to something that uses the object again), or
    /// when another one uses it for longer than a tenth of a second.
    ///
    /// ```
    /// # use pycage::{Handle, HostObject, Members};
    /// # struct Door(bool);
    /// # impl HostObject for Door { const NAME: &'static str = "Door"; fn members(_: &mut Members<Self>) {} }
    /// let door = Handle::new(Door(true));
    /// door.borrow().unwrap().0 = false;
    /// let used = door.borrow().unwrap();
    /// assert!(!used.0);
    /// assert!(door.borrow().is_err());
    /// ```
    pub fn borrow(&self) -> Result<Borrowed<'_, T>, InUse> {
        let held = self.object.inner.body.lock(|free| free()).map_err(|_| InUse { type_name: T::NAME })?;
        Ok(Borrowed { held, marker: PhantomData })
    }
}

impl<T> Handle<T> {
    /// The handle without its type.
    ///
    /// ```
    /// # use pycage::{Handle, HostObject, Members};
    /// # struct Door(bool);
    /// # impl HostObject for Door { const NAME: &'static str = "Door"; fn members(_: &mut Members<Self>) {} }
    /// assert_eq!(Handle::new(Door(true)).as_any().type_name(), "Door");
    /// ```
    pub fn as_any(&self) -> &AnyObject {
        &self.object
    }
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        Handle { object: self.object.clone(), marker: PhantomData }
    }
}

impl<T> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({})", self.object.type_name())
    }
}

impl<T> PartialEq for Handle<T> {
    /// Handles to the same object.
    fn eq(&self, other: &Self) -> bool {
        self.object == other.object
    }
}

impl<T: HostObject + 'static> IntoValue for Handle<T> {
    fn into_value(self) -> Value {
        Value::Object(self.object)
    }

    fn type_hint() -> TypeHint {
        TypeHint::object(class_of::<T>().table.clone())
    }
}

impl<T: HostObject + 'static> FromValue for Handle<T> {
    fn from_value(value: Value) -> Result<Self, ConversionError> {
        let got = match value {
            Value::Object(object) => match object.downcast() {
                Ok(handle) => return Ok(handle),
                Err(object) => object.type_name().to_owned(),
            },
            other => other.type_name().to_owned(),
        };
        Err(ConversionError::new(format!("expected {}, got {got}", T::NAME)))
    }

    fn type_hint() -> TypeHint {
        TypeHint::object(class_of::<T>().table.clone())
    }
}

/// A use of a host object, until it is dropped. See [`Handle::borrow`].
///
/// ```
/// # use pycage::{Handle, HostObject, Members};
/// # struct Door(bool);
/// # impl HostObject for Door { const NAME: &'static str = "Door"; fn members(_: &mut Members<Self>) {} }
/// let door = Handle::new(Door(true));
/// let mut used = door.borrow().unwrap();
/// used.0 = !used.0;
/// assert!(!used.0);
/// ```
pub struct Borrowed<'a, T> {
    held: Held<'a, Box<dyn Body>>,
    marker: PhantomData<T>,
}

impl<T: HostObject + 'static> Deref for Borrowed<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self.held.as_any().and_then(|any| any.downcast_ref()) {
            Some(value) => value,
            None => unreachable!("a handle is made for the type of its object"),
        }
    }
}

impl<T: HostObject + 'static> DerefMut for Borrowed<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        match self.held.as_any_mut().and_then(|any| any.downcast_mut()) {
            Some(value) => value,
            None => unreachable!("a handle is made for the type of its object"),
        }
    }
}

/// A host object that is in use, see [`Handle::borrow`].
///
/// ```
/// # use pycage::{Handle, HostObject, Members};
/// # struct Door(bool);
/// # impl HostObject for Door { const NAME: &'static str = "Door"; fn members(_: &mut Members<Self>) {} }
/// let door = Handle::new(Door(true));
/// let _used = door.borrow().unwrap();
/// assert_eq!(door.borrow().err().unwrap().to_string(), "the Door is in use");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {type_name} is in use")]
#[non_exhaustive]
pub struct InUse {
    /// The name of the object's type.
    pub type_name: &'static str,
}

/// A handle to a host object of any type, as it stands in a [`Value`].
///
/// ```
/// # use pycage::{Handle, HostObject, Members, Value, IntoValue};
/// # struct Door;
/// # impl HostObject for Door { const NAME: &'static str = "Door"; fn members(_: &mut Members<Self>) {} }
/// let Value::Object(object) = Handle::new(Door).into_value() else { unreachable!() };
/// assert_eq!(object.type_name(), "Door");
/// assert!(object.downcast::<Door>().is_ok());
/// ```
#[derive(Clone)]
pub struct AnyObject {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    /// Tells objects apart, for hashes.
    pub(crate) id: u64,
    pub(crate) table: Arc<Table>,
    /// `None` for what is lent: nobody gets it back by its type.
    type_id: Option<TypeId>,
    pub(crate) body: Slot<Box<dyn Body>>,
}

impl AnyObject {
    pub(crate) fn new(table: Arc<Table>, type_id: Option<TypeId>, body: Box<dyn Body>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        AnyObject { inner: Arc::new(Inner { id, table, type_id, body: Slot::new(body) }) }
    }

    /// What stands in this process for an object of another one, which tells it from others by `id`.
    #[cfg(feature = "process")]
    pub(crate) fn standing_for(id: u64, table: Arc<Table>, body: Box<dyn Body>) -> Self {
        AnyObject { inner: Arc::new(Inner { id, table, type_id: None, body: Slot::new(body) }) }
    }

    /// A number from a frame that is still to be looked up: an object without members, and without a body.
    #[cfg(feature = "process")]
    pub(crate) fn unopened(id: u64) -> Self {
        static NOTHING: LazyLock<Arc<Table>> = LazyLock::new(|| Arc::new(Table::of_another_process("object")));
        AnyObject { inner: Arc::new(Inner { id, table: NOTHING.clone(), type_id: None, body: Slot::empty() }) }
    }

    /// Uses it, or says to the script why that cannot be. `wait` is asked to do the waiting, where there is some to do.
    #[inline]
    pub(crate) fn usable(
        &self,
        wait: impl FnOnce(&dyn Fn() -> bool) -> bool,
    ) -> Result<Held<'_, Box<dyn Body>>, CallFailure> {
        self.inner.body.lock(wait).map_err(|why| why.failure(self.type_name()))
    }

    /// The name of its type.
    ///
    /// ```
    /// # use pycage::{Handle, HostObject, Members};
    /// # struct Door(bool);
    /// # impl HostObject for Door { const NAME: &'static str = "Door"; fn members(_: &mut Members<Self>) {} }
    /// assert_eq!(Handle::new(Door(true)).as_any().type_name(), "Door");
    /// ```
    pub fn type_name(&self) -> &str {
        &self.inner.table.type_name
    }

    /// The handle by its type.
    ///
    /// # Errors
    /// The handle as it is, when its object is of another type, or was lent by [`Sandbox::scope`](crate::Sandbox::scope).
    ///
    /// ```
    /// # use pycage::{Handle, HostObject, Members};
    /// # struct Door(bool);
    /// # impl HostObject for Door { const NAME: &'static str = "Door"; fn members(_: &mut Members<Self>) {} }
    /// let any = Handle::new(Door(true)).as_any().clone();
    /// assert!(any.downcast::<Door>().is_ok());
    /// ```
    pub fn downcast<T: HostObject + 'static>(self) -> Result<Handle<T>, AnyObject> {
        if self.inner.type_id == Some(TypeId::of::<T>()) {
            Ok(Handle { object: self, marker: PhantomData })
        } else {
            Err(self)
        }
    }
}

impl fmt::Debug for AnyObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AnyObject({})", self.type_name())
    }
}

impl PartialEq for AnyObject {
    /// Handles to the same object.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }
}

/// What a script asks of an object.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Request<'a> {
    Method(&'a str),
    Read(&'a str),
    Set(&'a str),
    Operator(Operator),
}

/// An object with its members, without its types.
pub(crate) trait Body: Send {
    fn perform(&mut self, request: Request<'_>, args: &mut Arguments<'_>) -> Result<Value, CallFailure>;
    fn items(&mut self, args: &mut Arguments<'_>) -> Result<Items, CallFailure>;

    fn as_any(&self) -> Option<&dyn Any> {
        None
    }

    fn as_any_mut(&mut self) -> Option<&mut dyn Any> {
        None
    }
}

/// The body of an object that its handles own.
struct Owned<T> {
    class: Arc<Class<T>>,
    value: T,
}

impl<T: HostObject + 'static> Body for Owned<T> {
    fn perform(&mut self, request: Request<'_>, args: &mut Arguments<'_>) -> Result<Value, CallFailure> {
        perform(&self.class.members, &mut self.value, request, args)
    }

    fn items(&mut self, args: &mut Arguments<'_>) -> Result<Items, CallFailure> {
        items(&self.class.members, &mut self.value, args)
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(&self.value)
    }

    fn as_any_mut(&mut self) -> Option<&mut dyn Any> {
        Some(&mut self.value)
    }
}

/// The body of an object that is lent.
pub(crate) struct Lent<'env, T> {
    pub(crate) class: Class<T>,
    pub(crate) value: &'env mut T,
}

impl<T: HostObject> Body for Lent<'_, T> {
    fn perform(&mut self, request: Request<'_>, args: &mut Arguments<'_>) -> Result<Value, CallFailure> {
        args.lent = true;
        perform(&self.class.members, self.value, request, args)
    }

    fn items(&mut self, args: &mut Arguments<'_>) -> Result<Items, CallFailure> {
        args.lent = true;
        items(&self.class.members, self.value, args)
    }
}

fn perform<T>(
    members: &Members<T>,
    this: &mut T,
    request: Request<'_>,
    args: &mut Arguments<'_>,
) -> Result<Value, CallFailure> {
    let member = match request {
        Request::Method(name) => members.methods.get(name),
        Request::Read(name) => members.getters.get(name),
        Request::Set(name) => members.setters.get(name),
        Request::Operator(operator) => members.operators.get(&operator),
    };
    match member {
        Some(member) => member(this, args),
        None => Err(not_listed()),
    }
}

fn items<T>(members: &Members<T>, this: &mut T, args: &mut Arguments<'_>) -> Result<Items, CallFailure> {
    match &members.iter {
        Some(iter) => iter(this, args),
        None => Err(not_listed()),
    }
}

#[cold]
fn not_listed() -> CallFailure {
    CallFailure::Arguments("has no such member".to_owned())
}

pub(crate) fn new_class<T: HostObject>() -> Class<T> {
    let mut members = Members::new();
    T::members(&mut members);
    let table = Arc::new(members.table());
    Class { members, table }
}

/// The members of a type, listed once for the process.
fn class_of<T: HostObject + 'static>() -> Arc<Class<T>> {
    static CLASSES: LazyLock<Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>> = LazyLock::new(Mutex::default);
    if let Some(class) = CLASSES.lock().get(&TypeId::of::<T>()).cloned()
        && let Ok(class) = class.downcast()
    {
        return class;
    }
    // Listed outside of the lock: the list is host code, which may make objects itself.
    let class = Arc::new(new_class::<T>());
    CLASSES.lock().insert(TypeId::of::<T>(), class.clone());
    class
}

impl Unavailable {
    /// For the script that asked. `what` is the type of an object, or what else was lent.
    #[cold]
    pub(crate) fn failure(self, what: &str) -> CallFailure {
        let raise = match self {
            Unavailable::InUse => Raise::new(
                ExceptionType::RuntimeError,
                format!("the {what} is in use: a member of it runs, or the host works with it"),
            ),
            Unavailable::Gone => Raise::new(
                ExceptionType::ReferenceError,
                format!("the {what} was lent for a scope of the host's, which has ended"),
            ),
        };
        CallFailure::Failed(Arc::new(raise))
    }
}
