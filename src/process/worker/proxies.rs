//! What stands in a worker for things of the host's, and the callables that the host has of the worker's script.

use super::wire::{Answered, Wire, ask, misunderstood};
use crate::host::args::Arguments;
use crate::host::callback::Callback;
use crate::host::failure::CallFailure;
use crate::host::function::Erased;
use crate::host::object::members::{Items, Table};
use crate::host::object::{AnyObject, Body, Inner, Request};
use crate::process::protocol::message::{Asked, Released, WireHandles, WireRequest, WireType};
use crate::process::protocol::value::{Flat, Handles, Unknown};
use crate::value::Value;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::{Arc, Weak};

/// Of the sandbox that is open.
pub(super) struct Proxies {
    wire: Weak<Mutex<Wire>>,
    types: Vec<Arc<Table>>,
    objects: HashMap<u64, Known>,
    callables: HashMap<u64, Callback>,
    /// What the script has let go of since the host was told last. With a lock of its own: it is used whenever something is
    /// dropped, also while the wire is locked.
    released: Arc<Mutex<Released>>,
}

/// An object of the host that this worker was told of.
struct Known {
    table: Arc<Table>,
    /// Dead while no value has it.
    proxy: Weak<Inner>,
}

impl Proxies {
    pub(super) fn new(wire: Weak<Mutex<Wire>>) -> Self {
        Proxies {
            wire,
            types: Vec::new(),
            objects: HashMap::new(),
            callables: HashMap::new(),
            released: Arc::default(),
        }
    }

    /// The host says what there is.
    pub(super) fn learn(&mut self, news: WireHandles) {
        for told in news.types {
            let WireType { name, named, operators, problem } = told;
            let table =
                Table { named: named.into_iter().collect(), operators, problem, ..Table::of_another_process(name) };
            self.types.push(Arc::new(table));
        }
        for (id, of_type) in news.objects {
            let Some(table) = self.types.get(of_type as usize).cloned() else {
                misunderstood("a type that was never told")
            };
            self.objects.insert(id, Known { table, proxy: Weak::new() });
        }
        for key in news.forget {
            // Only leaves word that it is to be dropped: that may run the script's code, and is done where it may.
            self.callables.remove(&key);
        }
    }

    /// A value on its way to the host.
    pub(super) fn pack(&mut self, value: Value) -> Flat {
        self.keep_callables(&value);
        Flat::packed(value)
    }

    fn keep_callables(&mut self, value: &Value) {
        match value {
            Value::Function(callback) => {
                self.callables.insert(callback.token().key(), callback.clone());
            }
            Value::List(items) | Value::Tuple(items) | Value::Set(items) => {
                items.iter().for_each(|item| self.keep_callables(item));
            }
            Value::Dict(items) => items.iter().for_each(|(key, value)| {
                self.keep_callables(key);
                self.keep_callables(value);
            }),
            _ => {}
        }
    }

    /// A value from the host.
    pub(super) fn open(&mut self, value: Flat) -> Value {
        value.opened(self).unwrap_or_else(|Unknown| misunderstood("an object or a callable that was never told"))
    }

    /// The callable of a key that the host names.
    pub(super) fn named(&self, key: u64) -> Callback {
        self.callables.get(&key).cloned().unwrap_or_else(|| misunderstood("a callable that there is not"))
    }

    /// What the host is to be told before it has its turn.
    pub(super) fn take_released(&mut self) -> Option<Released> {
        let released = std::mem::take(&mut *self.released.lock());
        for id in &released.objects {
            self.objects.remove(id);
        }
        let Released { objects, iterators, functions } = &released;
        (!objects.is_empty() || !iterators.is_empty() || !functions.is_empty()).then_some(released)
    }

    /// The sandbox ends, and with it what the host has told.
    pub(super) fn clear(&mut self) {
        self.types.clear();
        self.objects.clear();
        self.callables.clear();
        *self.released.lock() = Released::default();
    }

    /// The function that stands for the host's of that number.
    pub(super) fn function(&self, number: u32) -> Erased {
        let wire = self.host();
        let lease = Lease { of: Leased::Function(number), released: self.released.clone() };
        Arc::new(move |args: &mut Arguments<'_>| {
            let _held = &lease;
            forward(&wire, Asked::Function(number), args)
        })
    }

    fn host(&self) -> Arc<Mutex<Wire>> {
        self.wire.upgrade().unwrap_or_else(|| unreachable!("the wire is not dropped while it is used"))
    }
}

impl Handles for Proxies {
    fn object(&mut self, id: u64) -> Option<AnyObject> {
        let wire = self.host();
        let known = self.objects.get_mut(&id)?;
        if let Some(inner) = known.proxy.upgrade() {
            return Some(AnyObject { inner });
        }
        let mut released = self.released.lock();
        // Let go of, but the host has not been told yet, and so has not told of it again.
        released.objects.retain(|released| *released != id);
        let lease = Lease { of: Leased::Object(id), released: self.released.clone() };
        drop(released);
        let proxy = AnyObject::standing_for(id, known.table.clone(), Box::new(Proxy { id, wire, lease }));
        known.proxy = Arc::downgrade(&proxy.inner);
        Some(proxy)
    }

    fn callable(&mut self, key: u64, _type_name: &str) -> Option<Callback> {
        self.callables.get(&key).cloned()
    }
}

/// Hands a call to the host, as it is.
fn forward(wire: &Mutex<Wire>, asked: Asked, args: &mut Arguments<'_>) -> Result<Value, CallFailure> {
    let (positional, keywords) = args.take_all()?;
    let caller = args.caller();
    args.run(|| ask(wire, asked, positional, keywords, Some(caller)))?.map(Answered::into_value)
}

/// The body of an object of the host.
struct Proxy {
    id: u64,
    wire: Arc<Mutex<Wire>>,
    /// Held, and then given back.
    lease: Lease,
}

impl Body for Proxy {
    fn perform(&mut self, request: Request<'_>, args: &mut Arguments<'_>) -> Result<Value, CallFailure> {
        let request = match request {
            Request::Method(name) => WireRequest::Method(name.to_owned()),
            Request::Read(name) => WireRequest::Read(name.to_owned()),
            Request::Set(name) => WireRequest::Set(name.to_owned()),
            Request::Operator(operator) => WireRequest::Operator(operator),
        };
        forward(&self.wire, Asked::Object(self.id, request), args)
    }

    fn items(&mut self, args: &mut Arguments<'_>) -> Result<Items, CallFailure> {
        let caller = args.caller();
        let asked = Asked::Items(self.id);
        match args.run(|| ask(&self.wire, asked, Vec::new(), Vec::new(), Some(caller)))?? {
            Answered::Items(number) => {
                let lease = Lease { of: Leased::Iterator(number), released: self.lease.released.clone() };
                Ok(Box::new(ProxyItems { number, wire: self.wire.clone(), _lease: lease }))
            }
            Answered::Value(_) | Answered::End => misunderstood("something else than an iterator"),
        }
    }
}

/// An iterator of the host.
struct ProxyItems {
    number: u64,
    wire: Arc<Mutex<Wire>>,
    _lease: Lease,
}

impl Iterator for ProxyItems {
    type Item = Result<Value, CallFailure>;

    fn next(&mut self) -> Option<Self::Item> {
        match ask(&self.wire, Asked::Next(self.number), Vec::new(), Vec::new(), None) {
            Ok(Answered::End) => None,
            next => Some(next.map(Answered::into_value)),
        }
    }
}

/// What the host keeps as long as this lives.
struct Lease {
    of: Leased,
    released: Arc<Mutex<Released>>,
}

enum Leased {
    Object(u64),
    Iterator(u64),
    Function(u32),
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut released = self.released.lock();
        match self.of {
            Leased::Object(id) => released.objects.push(id),
            Leased::Iterator(number) => released.iterators.push(number),
            Leased::Function(number) => released.functions.push(number),
        }
    }
}
