//! The list of what a script can do with a host object.

use super::description::Description;
use super::method::{HostMethod, signature_of};
use crate::guard::names;
use crate::host::args::{Arguments, HostArg};
use crate::host::failure::{CallFailure, HostError, IntoAnswer};
use crate::host::object::HostObject;
use crate::stubs::hint::TypeHint;
use crate::stubs::signature::{ParameterKind, Signature};
use crate::value::{FromValue, IntoValue, Value};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

/// A member without its types.
pub(crate) type Erased<T> = Box<dyn Fn(&mut T, &mut Arguments<'_>) -> Result<Value, CallFailure> + Send + Sync>;

/// What a host object iterates over, without its types.
pub(crate) type Items = Box<dyn Iterator<Item = Result<Value, CallFailure>> + Send>;

type ErasedIter<T> = Box<dyn Fn(&mut T, &mut Arguments<'_>) -> Result<Items, CallFailure> + Send + Sync>;

/// The members of a [`HostObject`](crate::HostObject), as its type lists them. What is not listed cannot be reached.
///
/// Names follow the rules for names in scripts: one that begins with an underscore, or that leads into the interpreter, is
/// refused when the object is handed to a script, with [`Error::Setup`](crate::Error::Setup). A name that is listed twice
/// is what it was listed as last.
///
/// ```
/// use pycage::{Handle, HostObject, Members, Sandbox};
///
/// struct Dice { sides: u32 }
///
/// impl HostObject for Dice {
///     const NAME: &'static str = "Dice";
///     fn members(members: &mut Members<Self>) {
///         members.field("sides", |dice| dice.sides).method("half", |dice: &Dice| dice.sides / 2);
///     }
/// }
///
/// let mut sandbox = Sandbox::new()?;
/// sandbox.set("dice", Handle::new(Dice { sides: 6 }))?;
/// assert_eq!(sandbox.eval::<u32>("dice.sides + dice.half()")?, 9);
/// # Ok::<(), pycage::Error>(())
/// ```
pub struct Members<T> {
    pub(crate) methods: HashMap<String, Erased<T>>,
    pub(crate) getters: HashMap<String, Erased<T>>,
    pub(crate) setters: HashMap<String, Erased<T>>,
    pub(crate) operators: HashMap<Operator, Erased<T>>,
    pub(crate) iter: Option<ErasedIter<T>>,
    problem: Option<String>,
    /// Kept only where it was asked for: objects are lent often.
    description: Option<Description>,
}

/// What a script does with an object other than by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "process", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Operator {
    Len,
    Index,
    SetIndex,
    DelIndex,
    Contains,
    Eq,
    Compare,
    Hash,
    Repr,
    Call,
    Iter,
}

impl<T> Members<T> {
    pub(crate) fn new() -> Self {
        Members {
            methods: HashMap::new(),
            getters: HashMap::new(),
            setters: HashMap::new(),
            operators: HashMap::new(),
            iter: None,
            problem: None,
            description: None,
        }
    }

    /// What is to be said of the members of a type.
    pub(crate) fn describe_type() -> Description
    where
        T: HostObject,
    {
        let mut members = Members { description: Some(Description::default()), ..Members::new() };
        T::members(&mut members);
        members.description.unwrap_or_default()
    }

    /// Documents the member that was listed last, or the type where it stands first, for
    /// [`Sandbox::stubs`](crate::Sandbox::stubs).
    ///
    /// ```
    /// # use pycage::{Handle, HostObject, Members, Sandbox};
    /// # struct Bag(Vec<i64>);
    /// # impl HostObject for Bag {
    /// #     const NAME: &'static str = "Bag";
    /// #     fn members(members: &mut Members<Self>) { list(members) }
    /// # }
    /// fn list(members: &mut Members<Bag>) {
    ///     members.doc("What the hero carries.");
    ///     members.field("first", |bag| bag.0[0]).doc("On top.").len(|bag| bag.0.len());
    /// }
    /// # let mut sandbox = Sandbox::new()?;
    /// # sandbox.set("bag", Handle::new(Bag(vec![3, 4])))?;
    /// # let builtins = sandbox.stubs().files().remove("typeshed/stdlib/builtins.pyi").unwrap();
    /// assert!(builtins.contains("class Bag:\n    \"\"\"What the hero carries.\"\"\"\n"));
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn doc(&mut self, doc: impl Into<Cow<'static, str>>) -> &mut Self {
        if let Some(description) = &mut self.description {
            description.document(doc.into());
        }
        self
    }

    /// A method: `object.name(...)`. The closure takes `&T` or `&mut T` first.
    ///
    /// ```
    /// # use pycage::{Handle, HostObject, Members, Sandbox};
    /// # struct Bag(Vec<i64>);
    /// # impl HostObject for Bag {
    /// #     const NAME: &'static str = "Bag";
    /// #     fn members(members: &mut Members<Self>) { list(members) }
    /// # }
    /// fn list(members: &mut Members<Bag>) {
    ///     members.method("total", |bag: &Bag| bag.0.iter().sum::<i64>()).method("put", |bag: &mut Bag, x: i64| bag.0.push(x));
    /// }
    /// # let mut sandbox = Sandbox::new()?;
    /// # sandbox.set("bag", Handle::new(Bag(vec![3, 4])))?;
    /// assert_eq!(sandbox.eval::<i64>("bag.put(5)\nbag.total()")?, 12);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn method<Args>(&mut self, name: &str, method: impl HostMethod<T, Args>) -> &mut Self {
        self.check(name);
        self.describe(name, signature_of(&method));
        self.getters.remove(name);
        self.setters.remove(name);
        self.methods.insert(name.to_owned(), Box::new(move |this, args| method.invoke(this, args)));
        self
    }

    /// A property that scripts read: `object.name`.
    ///
    /// ```
    /// # use pycage::{Handle, HostObject, Members, Sandbox};
    /// # struct Bag(Vec<i64>);
    /// # impl HostObject for Bag {
    /// #     const NAME: &'static str = "Bag";
    /// #     fn members(members: &mut Members<Self>) { list(members) }
    /// # }
    /// fn list(members: &mut Members<Bag>) {
    ///     members.field("first", |bag| bag.0[0]);
    /// }
    /// # let mut sandbox = Sandbox::new()?;
    /// # sandbox.set("bag", Handle::new(Bag(vec![3, 4])))?;
    /// assert_eq!(sandbox.eval::<i64>("bag.first")?, 3);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn field<A: IntoAnswer>(&mut self, name: &str, get: impl Fn(&T) -> A + Send + Sync + 'static) -> &mut Self {
        self.check(name);
        self.describe(name, || Signature::answering(A::type_hint()));
        self.methods.remove(name);
        self.setters.remove(name);
        let get = move |this: &mut T, args: &mut Arguments<'_>| answer(args, || get(this));
        self.getters.insert(name.to_owned(), Box::new(get));
        self
    }

    /// A property that scripts read and set: `object.name = value`.
    ///
    /// ```
    /// # use pycage::{Handle, HostObject, Members, Sandbox};
    /// # struct Bag(Vec<i64>);
    /// # impl HostObject for Bag {
    /// #     const NAME: &'static str = "Bag";
    /// #     fn members(members: &mut Members<Self>) { list(members) }
    /// # }
    /// fn list(members: &mut Members<Bag>) {
    ///     members.field_mut("first", |bag| bag.0[0], |bag, x: i64| bag.0[0] = x);
    /// }
    /// # let mut sandbox = Sandbox::new()?;
    /// # sandbox.set("bag", Handle::new(Bag(vec![3, 4])))?;
    /// assert_eq!(sandbox.eval::<i64>("bag.first += 7\nbag.first")?, 10);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn field_mut<A: IntoAnswer, V: FromValue, S: IntoAnswer>(
        &mut self,
        name: &str,
        get: impl Fn(&T) -> A + Send + Sync + 'static,
        set: impl Fn(&mut T, V) -> S + Send + Sync + 'static,
    ) -> &mut Self {
        self.field(name, get);
        self.describe(name, || takes::<V, A>());
        let set = move |this: &mut T, args: &mut Arguments<'_>| {
            let value = V::take(args)?;
            answer(args, || set(this, value))
        };
        self.setters.insert(name.to_owned(), Box::new(set));
        self
    }

    /// `len(object)`, and whether the object is true.
    ///
    /// ```
    /// # use pycage::{Handle, HostObject, Members, Sandbox};
    /// # struct Bag(Vec<i64>);
    /// # impl HostObject for Bag {
    /// #     const NAME: &'static str = "Bag";
    /// #     fn members(members: &mut Members<Self>) { list(members) }
    /// # }
    /// fn list(members: &mut Members<Bag>) {
    ///     members.len(|bag| bag.0.len());
    /// }
    /// # let mut sandbox = Sandbox::new()?;
    /// # sandbox.set("bag", Handle::new(Bag(vec![3, 4])))?;
    /// assert_eq!(sandbox.eval::<i64>("len(bag)")?, 2);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn len(&mut self, len: impl Fn(&T) -> usize + Send + Sync + 'static) -> &mut Self {
        self.operator(
            Operator::Len,
            || Signature::answering(TypeHint::new("int")),
            move |this, args| answer(args, || len(this)),
        )
    }

    /// `object[key]`.
    ///
    /// ```
    /// # use pycage::{Handle, HostObject, Members, Sandbox};
    /// # struct Bag(Vec<i64>);
    /// # impl HostObject for Bag {
    /// #     const NAME: &'static str = "Bag";
    /// #     fn members(members: &mut Members<Self>) { list(members) }
    /// # }
    /// fn list(members: &mut Members<Bag>) {
    ///     members.index(|bag, at: usize| bag.0.get(at).copied());
    /// }
    /// # let mut sandbox = Sandbox::new()?;
    /// # sandbox.set("bag", Handle::new(Bag(vec![3, 4])))?;
    /// assert_eq!(sandbox.eval::<i64>("bag[1]")?, 4);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn index<K: FromValue, A: IntoAnswer>(
        &mut self,
        index: impl Fn(&T, K) -> A + Send + Sync + 'static,
    ) -> &mut Self {
        self.operator(
            Operator::Index,
            || takes::<K, A>(),
            move |this, args| {
                let key = K::take(args)?;
                answer(args, || index(this, key))
            },
        )
    }

    /// `object[key] = value`.
    ///
    /// ```
    /// # use pycage::{Handle, HostObject, Members, Sandbox};
    /// # struct Bag(Vec<i64>);
    /// # impl HostObject for Bag {
    /// #     const NAME: &'static str = "Bag";
    /// #     fn members(members: &mut Members<Self>) { list(members) }
    /// # }
    /// fn list(members: &mut Members<Bag>) {
    ///     members.index(|bag, at: usize| bag.0[at]).set_index(|bag, at: usize, x: i64| bag.0[at] = x);
    /// }
    /// # let mut sandbox = Sandbox::new()?;
    /// # sandbox.set("bag", Handle::new(Bag(vec![3, 4])))?;
    /// assert_eq!(sandbox.eval::<i64>("bag[1] = 9\nbag[1]")?, 9);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn set_index<K: FromValue, V: FromValue, A: IntoAnswer>(
        &mut self,
        set: impl Fn(&mut T, K, V) -> A + Send + Sync + 'static,
    ) -> &mut Self {
        self.operator(
            Operator::SetIndex,
            || {
                let mut signature = takes::<K, ()>();
                signature.push(ParameterKind::Required, V::type_hint());
                signature
            },
            move |this, args| {
                let key = K::take(args)?;
                let value = V::take(args)?;
                answer(args, || set(this, key, value))
            },
        )
    }

    /// `del object[key]`.
    ///
    /// ```
    /// # use pycage::{Handle, HostObject, Members, Sandbox};
    /// # struct Bag(Vec<i64>);
    /// # impl HostObject for Bag {
    /// #     const NAME: &'static str = "Bag";
    /// #     fn members(members: &mut Members<Self>) { list(members) }
    /// # }
    /// fn list(members: &mut Members<Bag>) {
    ///     members.len(|bag| bag.0.len()).del_index(|bag, at: usize| drop(bag.0.remove(at)));
    /// }
    /// # let mut sandbox = Sandbox::new()?;
    /// # sandbox.set("bag", Handle::new(Bag(vec![3, 4])))?;
    /// assert_eq!(sandbox.eval::<i64>("del bag[0]\nlen(bag)")?, 1);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn del_index<K: FromValue, A: IntoAnswer>(
        &mut self,
        delete: impl Fn(&mut T, K) -> A + Send + Sync + 'static,
    ) -> &mut Self {
        self.operator(
            Operator::DelIndex,
            || takes::<K, ()>(),
            move |this, args| {
                let key = K::take(args)?;
                answer(args, || delete(this, key))
            },
        )
    }

    /// `item in object`. What is not a `K` is not in it.
    ///
    /// ```
    /// # use pycage::{Handle, HostObject, Members, Sandbox};
    /// # struct Bag(Vec<i64>);
    /// # impl HostObject for Bag {
    /// #     const NAME: &'static str = "Bag";
    /// #     fn members(members: &mut Members<Self>) { list(members) }
    /// # }
    /// fn list(members: &mut Members<Bag>) {
    ///     members.contains(|bag, x: i64| bag.0.contains(&x));
    /// }
    /// # let mut sandbox = Sandbox::new()?;
    /// # sandbox.set("bag", Handle::new(Bag(vec![3, 4])))?;
    /// assert_eq!(sandbox.eval::<bool>("4 in bag")?, true);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn contains<K: FromValue>(&mut self, contains: impl Fn(&T, K) -> bool + Send + Sync + 'static) -> &mut Self {
        self.operator(
            Operator::Contains,
            || takes::<K, bool>(),
            move |this, args| match K::take(args) {
                Ok(item) => answer(args, || contains(this, item)),
                Err(_) => Ok(Value::Bool(false)),
            },
        )
    }

    /// `for item in object`. What is iterated over stands on its own: it cannot borrow from the object. Each step costs the
    /// script a native step. What it takes in memory is the host's, so a sandbox has at most 1,000 such iterators at a time.
    ///
    /// ```
    /// # use pycage::{Handle, HostObject, Members, Sandbox};
    /// # struct Bag(Vec<i64>);
    /// # impl HostObject for Bag {
    /// #     const NAME: &'static str = "Bag";
    /// #     fn members(members: &mut Members<Self>) { list(members) }
    /// # }
    /// fn list(members: &mut Members<Bag>) {
    ///     members.iter(|bag| bag.0.clone());
    /// }
    /// # let mut sandbox = Sandbox::new()?;
    /// # sandbox.set("bag", Handle::new(Bag(vec![3, 4])))?;
    /// assert_eq!(sandbox.eval::<i64>("sorted(bag, reverse=True)[0]")?, 4);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn iter<I>(&mut self, iter: impl Fn(&T) -> I + Send + Sync + 'static) -> &mut Self
    where
        I: IntoIterator<Item: IntoValue + 'static, IntoIter: Send + 'static>,
    {
        self.describe_operator(Operator::Iter, || Signature::answering(<I::Item as IntoValue>::type_hint()));
        self.iter = Some(Box::new(move |this, args| {
            args.run(|| -> Items { Box::new(iter(this).into_iter().map(|item| Ok(item.into_value()))) })
        }));
        self
    }

    /// `object == other`. An object is always equal to itself, without a question to the host; what is not a `K` is not
    /// equal to it. An object with an `eq` and no `hash` is not hashable.
    ///
    /// ```
    /// # use pycage::{Handle, HostObject, Members, Sandbox};
    /// # struct Bag(Vec<i64>);
    /// # impl HostObject for Bag {
    /// #     const NAME: &'static str = "Bag";
    /// #     fn members(members: &mut Members<Self>) { list(members) }
    /// # }
    /// fn list(members: &mut Members<Bag>) {
    ///     members.eq(|bag, other: Vec<i64>| bag.0 == other);
    /// }
    /// # let mut sandbox = Sandbox::new()?;
    /// # sandbox.set("bag", Handle::new(Bag(vec![3, 4])))?;
    /// assert_eq!(sandbox.eval::<bool>("bag == [3, 4]")?, true);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn eq<K: FromValue>(&mut self, eq: impl Fn(&T, K) -> bool + Send + Sync + 'static) -> &mut Self {
        self.operator(
            Operator::Eq,
            || takes::<K, bool>(),
            move |this, args| match K::take(args) {
                Ok(other) => answer(args, || eq(this, other)),
                Err(_) => Ok(Value::None),
            },
        )
    }

    /// `object < other` and its kin, and `==` where there is no [`eq`](Members::eq). `None`, or an `other` that is not a `K`,
    /// is not comparable.
    ///
    /// ```
    /// # use pycage::{Handle, HostObject, Members, Sandbox};
    /// # struct Bag(Vec<i64>);
    /// # impl HostObject for Bag {
    /// #     const NAME: &'static str = "Bag";
    /// #     fn members(members: &mut Members<Self>) { list(members) }
    /// # }
    /// fn list(members: &mut Members<Bag>) {
    ///     members.compare(|bag, size: usize| Some(bag.0.len().cmp(&size)));
    /// }
    /// # let mut sandbox = Sandbox::new()?;
    /// # sandbox.set("bag", Handle::new(Bag(vec![3, 4])))?;
    /// assert_eq!(sandbox.eval::<bool>("bag < 3")?, true);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn compare<K: FromValue>(
        &mut self,
        compare: impl Fn(&T, K) -> Option<Ordering> + Send + Sync + 'static,
    ) -> &mut Self {
        self.operator(
            Operator::Compare,
            || takes::<K, bool>(),
            move |this, args| match K::take(args) {
                Ok(other) => answer(args, || compare(this, other).map(|ordering| ordering as i64)),
                Err(_) => Ok(Value::None),
            },
        )
    }

    /// `hash(object)`: equal objects must have the same.
    ///
    /// ```
    /// # use pycage::{Handle, HostObject, Members, Sandbox};
    /// # struct Bag(Vec<i64>);
    /// # impl HostObject for Bag {
    /// #     const NAME: &'static str = "Bag";
    /// #     fn members(members: &mut Members<Self>) { list(members) }
    /// # }
    /// fn list(members: &mut Members<Bag>) {
    ///     members.hash(|bag| bag.0.len() as i64);
    /// }
    /// # let mut sandbox = Sandbox::new()?;
    /// # sandbox.set("bag", Handle::new(Bag(vec![3, 4])))?;
    /// assert_eq!(sandbox.eval::<i64>("hash(bag)")?, 2);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn hash(&mut self, hash: impl Fn(&T) -> i64 + Send + Sync + 'static) -> &mut Self {
        self.operator(
            Operator::Hash,
            || Signature::answering(TypeHint::new("int")),
            move |this, args| answer(args, || hash(this)),
        )
    }

    /// `repr(object)`, and `str(object)`. Without it, `<Name object>`.
    ///
    /// ```
    /// # use pycage::{Handle, HostObject, Members, Sandbox};
    /// # struct Bag(Vec<i64>);
    /// # impl HostObject for Bag {
    /// #     const NAME: &'static str = "Bag";
    /// #     fn members(members: &mut Members<Self>) { list(members) }
    /// # }
    /// fn list(members: &mut Members<Bag>) {
    ///     members.repr(|bag| format!("<Bag of {}>", bag.0.len()));
    /// }
    /// # let mut sandbox = Sandbox::new()?;
    /// # sandbox.set("bag", Handle::new(Bag(vec![3, 4])))?;
    /// assert_eq!(sandbox.eval::<String>("repr(bag)")?, "<Bag of 2>");
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn repr(&mut self, repr: impl Fn(&T) -> String + Send + Sync + 'static) -> &mut Self {
        self.operator(
            Operator::Repr,
            || Signature::answering(TypeHint::new("str")),
            move |this, args| answer(args, || repr(this)),
        )
    }

    /// `object(...)`.
    ///
    /// ```
    /// # use pycage::{Handle, HostObject, Members, Sandbox};
    /// # struct Bag(Vec<i64>);
    /// # impl HostObject for Bag {
    /// #     const NAME: &'static str = "Bag";
    /// #     fn members(members: &mut Members<Self>) { list(members) }
    /// # }
    /// fn list(members: &mut Members<Bag>) {
    ///     members.call(|bag: &Bag, x: i64| bag.0[0] * x);
    /// }
    /// # let mut sandbox = Sandbox::new()?;
    /// # sandbox.set("bag", Handle::new(Bag(vec![3, 4])))?;
    /// assert_eq!(sandbox.eval::<i64>("bag(5)")?, 15);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn call<Args>(&mut self, call: impl HostMethod<T, Args>) -> &mut Self {
        let signature = signature_of(&call);
        self.operator(Operator::Call, signature, move |this, args| call.invoke(this, args))
    }

    fn operator(
        &mut self,
        operator: Operator,
        signature: fn() -> Signature,
        f: impl Fn(&mut T, &mut Arguments<'_>) -> Result<Value, CallFailure> + Send + Sync + 'static,
    ) -> &mut Self {
        self.describe_operator(operator, signature);
        self.operators.insert(operator, Box::new(f));
        self
    }

    fn describe(&mut self, name: &str, signature: fn() -> Signature) {
        if let Some(description) = &mut self.description {
            description.member(name, signature);
        }
    }

    fn describe_operator(&mut self, operator: Operator, signature: fn() -> Signature) {
        if let Some(description) = &mut self.description {
            description.operator(operator, signature);
        }
    }

    fn check(&mut self, name: &str) {
        let word = name.chars().next().is_some_and(char::is_alphabetic)
            && name.chars().all(|char| char.is_alphanumeric() || char == '_');
        if !word || !names::attribute(name) {
            self.problem.get_or_insert_with(|| format!("'{name}' cannot be the name of a member"));
        }
    }

    /// What can be known of the members without the object.
    pub(crate) fn table(&self) -> Table
    where
        T: HostObject,
    {
        let mut named = HashMap::new();
        named.extend(self.methods.keys().map(|name| (name.clone(), Kind::Method)));
        named.extend(self.getters.keys().map(|name| (name.clone(), Kind::Field)));
        named.extend(self.setters.keys().map(|name| (name.clone(), Kind::FieldMut)));
        let mut operators: Vec<Operator> = self.operators.keys().copied().collect();
        if self.iter.is_some() {
            operators.push(Operator::Iter);
        }
        Table {
            type_name: T::NAME.into(),
            named,
            operators,
            problem: self.problem.clone(),
            describe: Self::describe_type,
        }
    }
}

/// Of what takes one argument.
fn takes<K: FromValue, A: IntoAnswer>() -> Signature {
    let mut signature = Signature::answering(A::type_hint());
    signature.push(ParameterKind::Required, K::type_hint());
    signature
}

fn answer<A: IntoAnswer>(args: &Arguments<'_>, f: impl FnOnce() -> A) -> Result<Value, CallFailure> {
    let answer: Result<Value, HostError> = args.run(|| f().into_answer())?;
    answer.map_err(CallFailure::Failed)
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "process", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Kind {
    Method,
    Field,
    FieldMut,
}

/// What there is to an object, without its types.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) type_name: Cow<'static, str>,
    pub(crate) named: HashMap<String, Kind>,
    pub(crate) operators: Vec<Operator>,
    pub(crate) problem: Option<String>,
    pub(crate) describe: fn() -> Description,
}

impl Table {
    /// Of a type whose members another process knows: none is listed yet.
    #[cfg(feature = "process")]
    pub(crate) fn of_another_process(type_name: impl Into<Cow<'static, str>>) -> Table {
        Table {
            type_name: type_name.into(),
            named: HashMap::new(),
            operators: Vec::new(),
            problem: None,
            describe: Description::default,
        }
    }

    pub(crate) fn kind(&self, name: &str) -> Option<Kind> {
        self.named.get(name).copied()
    }

    pub(crate) fn has(&self, operator: Operator) -> bool {
        self.operators.contains(&operator)
    }

    /// Whether it is the table of the same type, as far as a script can tell: one that is lent has a table each time.
    pub(crate) fn same(&self, other: &Table) -> bool {
        let shape = |table: &Table| (table.named.len(), table.operators.len());
        self.type_name == other.type_name
            && shape(self) == shape(other)
            && self.named.iter().all(|(name, kind)| other.kind(name) == Some(*kind))
            && self.operators.iter().all(|operator| other.has(*operator))
    }
}

/// The members of a type with their table.
pub(crate) struct Class<T> {
    pub(crate) members: Members<T>,
    pub(crate) table: Arc<Table>,
}
