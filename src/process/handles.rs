//! What a session's worker may name of the host's (functions, objects, iterators), and the host of the worker's (callables).

use super::protocol::message::{Released as WireReleased, WireHandles, WireType};
use super::protocol::value::{self, Flat};
use crate::error::ConversionError;
use crate::host::callback::{Callback, Released, Token};
use crate::host::callback_call;
use crate::host::function::Erased;
use crate::host::object::members::{Items, Table};
use crate::host::object::{AnyObject, MAX_ITERATORS};
use crate::value::Value;
use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

/// Objects that a worker may know at a time. They stay alive as long as its script has them, or as it says so.
const MAX_OBJECTS: usize = 1 << 20;

/// A host function, with the names of its parameters.
pub(super) struct NamedFunction {
    pub(super) names: Vec<String>,
    pub(super) function: Erased,
}

/// Of a session. What a worker names that is not listed here was never given to it.
#[derive(Default)]
pub(super) struct Handles {
    functions: HashMap<u32, Arc<NamedFunction>>,
    next_function: u32,
    objects: HashMap<u64, AnyObject>,
    types: Vec<Arc<Table>>,
    iterators: HashMap<u64, Items>,
    next_iterator: u64,
    /// Callables of the script that the host has let go of. Also tells them from those of other sandboxes.
    released: Arc<Released>,
    /// What the worker is still to be told.
    news: WireHandles,
}

impl Handles {
    /// Makes a function one that the worker may call, by the number that this gives.
    pub(super) fn add_function(&mut self, names: Vec<String>, function: Erased) -> u32 {
        let number = self.next_function;
        self.next_function = number.wrapping_add(1);
        self.functions.insert(number, Arc::new(NamedFunction { names, function }));
        number
    }

    pub(super) fn function(&self, number: u32) -> Option<Arc<NamedFunction>> {
        self.functions.get(&number).cloned()
    }

    pub(super) fn object(&self, id: u64) -> Option<AnyObject> {
        self.objects.get(&id).cloned()
    }

    /// Keeps an iterator, under the number that this gives. `None` when there are more than a worker lets its script have.
    pub(super) fn add_iterator(&mut self, items: Items) -> Option<u64> {
        if self.iterators.len() >= MAX_ITERATORS {
            return None;
        }
        let number = self.next_iterator;
        self.next_iterator += 1;
        self.iterators.insert(number, items);
        Some(number)
    }

    pub(super) fn iterator(&mut self, number: u64) -> Option<&mut Items> {
        self.iterators.get_mut(&number)
    }

    /// A value on its way to the worker, which is told of what it has in it.
    pub(super) fn pack(&mut self, value: Value) -> Result<Flat, ConversionError> {
        self.announce(&value)?;
        Ok(Flat::packed(value))
    }

    pub(super) fn pack_all<C: FromIterator<Flat>>(
        &mut self,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<C, ConversionError> {
        values.into_iter().map(|value| self.pack(value)).collect()
    }

    fn announce(&mut self, value: &Value) -> Result<(), ConversionError> {
        match value {
            Value::Object(object) => self.announce_object(object),
            Value::Function(callback) => self.key(callback).map(drop),
            Value::List(items) | Value::Tuple(items) | Value::Set(items) => {
                items.iter().try_for_each(|item| self.announce(item))
            }
            Value::Dict(items) => items.iter().try_for_each(|(key, value)| {
                self.announce(key)?;
                self.announce(value)
            }),
            _ => Ok(()),
        }
    }

    fn announce_object(&mut self, object: &AnyObject) -> Result<(), ConversionError> {
        if self.objects.contains_key(&object.inner.id) {
            return Ok(());
        }
        if self.objects.len() >= MAX_OBJECTS {
            return Err(ConversionError::new(format!(
                "a worker process can have {MAX_OBJECTS} host objects at a time"
            )));
        }
        let table = &object.inner.table;
        let of_type = self.types.iter().position(|known| Arc::ptr_eq(known, table) || known.same(table));
        let of_type = of_type.unwrap_or_else(|| {
            self.types.push(table.clone());
            self.news.types.push(WireType {
                name: table.type_name.to_string(),
                named: table.named.iter().map(|(name, kind)| (name.clone(), *kind)).collect(),
                operators: table.operators.clone(),
                problem: table.problem.clone(),
            });
            self.types.len() - 1
        });
        self.news.objects.push((object.inner.id, u32::try_from(of_type).unwrap_or(u32::MAX)));
        self.objects.insert(object.inner.id, object.clone());
        Ok(())
    }

    /// By which the worker knows a callable of its script.
    pub(super) fn key(&self, callback: &Callback) -> Result<u64, ConversionError> {
        callback.token().key_in(&self.released).ok_or_else(callback_call::of_another)
    }

    /// What the worker is to be told before it gets another value.
    pub(super) fn take_news(&mut self) -> Option<WireHandles> {
        let forget = self.released.take();
        let news = WireHandles { forget, ..std::mem::take(&mut self.news) };
        (!news.objects.is_empty() || !news.forget.is_empty()).then_some(news)
    }

    /// Takes off the lists what the worker's script has let go of. To drop it is for the caller, as that is host code.
    pub(super) fn release(&mut self, released: WireReleased) -> Vec<Box<dyn Any>> {
        let WireReleased { objects, iterators, functions } = released;
        let mut gone: Vec<Box<dyn Any>> = Vec::new();
        let mut take = |thing: Option<Box<dyn Any>>| gone.extend(thing);
        objects.iter().for_each(|id| take(self.objects.remove(id).map(|object| Box::new(object) as _)));
        iterators.iter().for_each(|number| take(self.iterators.remove(number).map(|items| Box::new(items) as _)));
        functions.iter().for_each(|number| take(self.functions.remove(number).map(|function| Box::new(function) as _)));
        gone
    }
}

impl value::Handles for Handles {
    fn object(&mut self, id: u64) -> Option<AnyObject> {
        Handles::object(self, id)
    }

    /// Whichever it names: it is the worker that will be asked for it.
    fn callable(&mut self, key: u64, type_name: &str) -> Option<Callback> {
        Some(Callback::new(type_name.to_owned(), Token::new(key, self.released.clone())))
    }
}
