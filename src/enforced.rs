//! What the compiler enforces, as pairs of examples: the first is refused, and the second, which differs in nothing else,
//! is not. Each names the compiler's error, so that none is refused for some other reason: `.ci/run` sees to that.

/// A function of the host runs on another thread, so what it captures must be `Send` and `Sync`.
///
/// ```compile_fail,E0277
/// use std::rc::Rc;
/// let count = Rc::new(1_i64);
/// let mut sandbox = pycage::Sandbox::new().unwrap();
/// sandbox.function("count", move || *count).unwrap();
/// ```
///
/// ```
/// use std::sync::Arc;
/// let count = Arc::new(1_i64);
/// let mut sandbox = pycage::Sandbox::new().unwrap();
/// sandbox.function("count", move || *count).unwrap();
/// ```
struct FunctionsAreSend;

/// A function of the host stays with its sandbox, so it borrows nothing.
///
/// ```compile_fail,E0373
/// let mut sandbox = pycage::Sandbox::new().unwrap();
/// let count = 1_i64;
/// sandbox.function("count", || count).unwrap();
/// ```
///
/// ```
/// let mut sandbox = pycage::Sandbox::new().unwrap();
/// let count = 1_i64;
/// sandbox.function("count", move || count).unwrap();
/// ```
struct FunctionsOwn;

/// A host object is used by whatever thread runs the script.
///
/// ```compile_fail,E0277
/// use std::rc::Rc;
/// struct Chest(Rc<i64>);
/// impl pycage::HostObject for Chest {
///     const NAME: &'static str = "Chest";
///     fn members(members: &mut pycage::Members<Self>) { members.field("gold", |chest| *chest.0); }
/// }
/// ```
///
/// ```
/// use std::sync::Arc;
/// struct Chest(Arc<i64>);
/// impl pycage::HostObject for Chest {
///     const NAME: &'static str = "Chest";
///     fn members(members: &mut pycage::Members<Self>) { members.field("gold", |chest| *chest.0); }
/// }
/// ```
struct ObjectsAreSend;

/// A text that is borrowed from the script is not kept after the call.
///
/// ```compile_fail,E0521
/// use std::sync::Mutex;
/// static KEPT: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());
/// let mut sandbox = pycage::Sandbox::new().unwrap();
/// sandbox.function("keep", |text: &str| KEPT.lock().unwrap().push(text)).unwrap();
/// ```
///
/// ```
/// use std::sync::Mutex;
/// static KEPT: Mutex<Vec<String>> = Mutex::new(Vec::new());
/// let mut sandbox = pycage::Sandbox::new().unwrap();
/// sandbox.function("keep", |text: &str| KEPT.lock().unwrap().push(text.to_owned())).unwrap();
/// ```
struct TextStays;

/// The context of a call does not leave its thread.
///
/// ```compile_fail,E0277
/// use pycage::{CallContext, Sandbox};
/// let mut sandbox = Sandbox::new().unwrap();
/// sandbox.function("spent", |context: CallContext| {
///     std::thread::scope(|scope| scope.spawn(|| context.usage().host_calls).join().unwrap())
/// }).unwrap();
/// ```
///
/// ```
/// use pycage::{CallContext, Sandbox};
/// let mut sandbox = Sandbox::new().unwrap();
/// sandbox.function("spent", |context: CallContext| {
///     let usage = context.usage();
///     std::thread::scope(|scope| scope.spawn(|| usage.host_calls).join().unwrap())
/// }).unwrap();
/// ```
struct ContextsStay;

/// Nor does it outlive the call.
///
/// ```compile_fail,E0521
/// use pycage::{CallContext, Sandbox};
/// use std::cell::RefCell;
/// thread_local! { static KEPT: RefCell<Option<CallContext<'static>>> = RefCell::default(); }
/// let mut sandbox = Sandbox::new().unwrap();
/// sandbox.function("keep", |context: CallContext| KEPT.set(Some(context))).unwrap();
/// ```
///
/// ```
/// use pycage::{CallContext, Sandbox, Usage};
/// use std::cell::RefCell;
/// thread_local! { static KEPT: RefCell<Option<Usage>> = RefCell::default(); }
/// let mut sandbox = Sandbox::new().unwrap();
/// sandbox.function("keep", |context: CallContext| KEPT.set(Some(context.usage()))).unwrap();
/// ```
struct ContextsEnd;

/// Nor does what it lends.
///
/// ```compile_fail,E0521
/// use pycage::{CallContext, Sandbox};
/// let mut sandbox = Sandbox::builder().data(5_i64).build().unwrap();
/// let mut kept = None;
/// sandbox.scope(|scope| scope.function("keep", |context: CallContext| kept = context.data::<i64>()).unwrap());
/// ```
///
/// ```
/// use pycage::{CallContext, Sandbox};
/// let mut sandbox = Sandbox::builder().data(5_i64).build().unwrap();
/// let mut kept = None;
/// sandbox.scope(|scope| scope.function("keep", |context: CallContext| kept = context.data::<i64>().copied()).unwrap());
/// ```
struct DataStays;

/// A function that is lent to a scope runs on another thread too.
///
/// ```compile_fail,E0277
/// use std::cell::Cell;
/// let score = Cell::new(0_i64);
/// let mut sandbox = pycage::Sandbox::new().unwrap();
/// sandbox.scope(|scope| scope.function("add", |points: i64| score.set(points)).unwrap());
/// ```
///
/// ```
/// use std::sync::atomic::{AtomicI64, Ordering};
/// let score = AtomicI64::new(0);
/// let mut sandbox = pycage::Sandbox::new().unwrap();
/// sandbox.scope(|scope| scope.function("add", |points: i64| score.store(points, Ordering::Relaxed)).unwrap());
/// ```
struct LentFunctionsAreSend;

/// What is lent to a scope outlives it.
///
/// ```compile_fail,E0597
/// # struct Chest;
/// # impl pycage::HostObject for Chest {
/// #     const NAME: &'static str = "Chest";
/// #     fn members(_: &mut pycage::Members<Self>) {}
/// # }
/// let mut sandbox = pycage::Sandbox::new().unwrap();
/// sandbox.scope(|scope| {
///     let mut chest = Chest;
///     let lent = scope.object(&mut chest);
///     scope.set("chest", lent).unwrap();
/// });
/// ```
///
/// ```
/// # struct Chest;
/// # impl pycage::HostObject for Chest {
/// #     const NAME: &'static str = "Chest";
/// #     fn members(_: &mut pycage::Members<Self>) {}
/// # }
/// let mut sandbox = pycage::Sandbox::new().unwrap();
/// let mut chest = Chest;
/// sandbox.scope(|scope| {
///     let lent = scope.object(&mut chest);
///     scope.set("chest", lent).unwrap();
/// });
/// ```
struct LoansOutliveScopes;

/// What is lent is not used otherwise meanwhile.
///
/// ```compile_fail,E0499
/// # struct Chest(i64);
/// # impl pycage::HostObject for Chest {
/// #     const NAME: &'static str = "Chest";
/// #     fn members(_: &mut pycage::Members<Self>) {}
/// # }
/// let mut sandbox = pycage::Sandbox::new().unwrap();
/// let mut chest = Chest(5);
/// sandbox.scope(|scope| {
///     let lent = scope.object(&mut chest);
///     let again = scope.object(&mut chest);
///     scope.set("chest", lent).unwrap();
/// });
/// ```
///
/// ```
/// # struct Chest(i64);
/// # impl pycage::HostObject for Chest {
/// #     const NAME: &'static str = "Chest";
/// #     fn members(_: &mut pycage::Members<Self>) {}
/// # }
/// let mut sandbox = pycage::Sandbox::new().unwrap();
/// let mut chest = Chest(5);
/// sandbox.scope(|scope| {
///     let lent = scope.object(&mut chest);
///     scope.set("chest", lent).unwrap();
/// });
/// chest.0 = 6;
/// ```
struct LoansAreExclusive;

/// A scope does not leave its closure.
///
/// ```compile_fail,E0521
/// let mut sandbox = pycage::Sandbox::new().unwrap();
/// let mut kept = None;
/// sandbox.scope(|scope| kept = Some(scope));
/// ```
///
/// ```
/// let mut sandbox = pycage::Sandbox::new().unwrap();
/// let mut kept = None;
/// sandbox.scope(|scope| kept = Some(scope.budget().clone()));
/// ```
struct ScopesStay;

/// A use of a host object does not outlive the handle.
///
/// ```compile_fail,E0505
/// # struct Chest(i64);
/// # impl pycage::HostObject for Chest {
/// #     const NAME: &'static str = "Chest";
/// #     fn members(_: &mut pycage::Members<Self>) {}
/// # }
/// let chest = pycage::Handle::new(Chest(5));
/// let used = chest.borrow().unwrap();
/// drop(chest);
/// assert_eq!(used.0, 5);
/// ```
///
/// ```
/// # struct Chest(i64);
/// # impl pycage::HostObject for Chest {
/// #     const NAME: &'static str = "Chest";
/// #     fn members(_: &mut pycage::Members<Self>) {}
/// # }
/// let chest = pycage::Handle::new(Chest(5));
/// let used = chest.borrow().unwrap();
/// assert_eq!(used.0, 5);
/// drop(used);
/// drop(chest);
/// ```
struct UsesEnd;

/// A closure of `Runner::with` borrows nothing: it may go on when its caller does not wait any more.
///
/// ```compile_fail,E0373
/// let runner = pycage::Runner::new().unwrap();
/// let frames = 3_u32;
/// runner.with(|_| frames + 1).unwrap();
/// ```
///
/// ```
/// let runner = pycage::Runner::new().unwrap();
/// let frames = 3_u32;
/// runner.with(move |_| frames + 1).unwrap();
/// ```
struct ClosuresOwn;

/// The cage of `Runner::with` does not leave it.
///
/// ```compile_fail,E0521
/// use std::cell::Cell;
/// thread_local! { static KEPT: Cell<Option<&'static pycage::Cage<'static>>> = Cell::default(); }
/// let runner = pycage::Runner::new().unwrap();
/// runner.with(|cage| KEPT.set(Some(cage))).unwrap();
/// ```
///
/// ```
/// use std::cell::Cell;
/// thread_local! { static KEPT: Cell<Option<usize>> = Cell::default(); }
/// let runner = pycage::Runner::new().unwrap();
/// runner.with(|cage| KEPT.set(Some(std::mem::size_of_val(cage)))).unwrap();
/// ```
struct CagesStay;

/// Nor does it go to another thread.
///
/// ```compile_fail,E0277
/// let runner = pycage::Runner::new().unwrap();
/// let mut sandbox = pycage::Sandbox::builder().runner(&runner).build().unwrap();
/// runner.with(move |cage| {
///     std::thread::scope(|scope| { scope.spawn(|| cage.exec(&mut sandbox, "1").unwrap()); })
/// }).unwrap();
/// ```
///
/// ```
/// let runner = pycage::Runner::new().unwrap();
/// let mut sandbox = pycage::Sandbox::builder().runner(&runner).build().unwrap();
/// runner.with(move |cage| {
///     std::thread::scope(|scope| { scope.spawn(|| 1); cage.exec(&mut sandbox, "1").unwrap() })
/// }).unwrap();
/// ```
struct CagesAreLocal;

/// What comes out of `Runner::with` comes from another thread.
///
/// ```compile_fail,E0277
/// let runner = pycage::Runner::new().unwrap();
/// runner.with(|_| std::rc::Rc::new(1)).unwrap();
/// ```
///
/// ```
/// let runner = pycage::Runner::new().unwrap();
/// runner.with(|_| std::sync::Arc::new(1)).unwrap();
/// ```
struct AnswersAreSend;

/// A sandbox and its tasks go to other threads, but two threads do not use one at a time.
///
/// ```compile_fail,E0499
/// let mut sandbox = pycage::Sandbox::new().unwrap();
/// std::thread::scope(|scope| {
///     scope.spawn(|| sandbox.exec("1").unwrap());
///     scope.spawn(|| sandbox.exec("2").unwrap());
/// });
/// ```
///
/// ```
/// let mut sandbox = pycage::Sandbox::new().unwrap();
/// let mut other = pycage::Sandbox::new().unwrap();
/// std::thread::scope(|scope| {
///     scope.spawn(|| sandbox.exec("1").unwrap());
///     scope.spawn(|| other.exec("2").unwrap());
/// });
/// ```
struct SandboxesAreSend;

/// A call that is awaited has its sandbox for itself until it is over or dropped.
///
/// ```compile_fail,E0499
/// let mut sandbox = pycage::Sandbox::new().unwrap();
/// let first = sandbox.eval_async::<i64>("1");
/// let second = sandbox.eval_async::<i64>("2");
/// drop((first, second));
/// ```
///
/// ```
/// let mut sandbox = pycage::Sandbox::new().unwrap();
/// let first = sandbox.eval_async::<i64>("1");
/// drop(first);
/// let second = sandbox.eval_async::<i64>("2");
/// drop(second);
/// ```
#[cfg(feature = "async")]
struct FuturesBorrow;

/// The data that a host gives a sandbox is used on another thread.
///
/// ```compile_fail,E0277
/// let sandbox = pycage::Sandbox::builder().data(std::rc::Rc::new(5)).build().unwrap();
/// ```
///
/// ```
/// let sandbox = pycage::Sandbox::builder().data(std::sync::Arc::new(5)).build().unwrap();
/// ```
struct DataIsSync;

/// A hook is asked by whatever thread runs the script.
///
/// ```compile_fail,E0277
/// use pycage::{HookAction, MeterHook, Usage};
/// use std::cell::Cell;
/// struct Looks(Cell<u64>);
/// impl MeterHook for Looks {
///     fn checkpoint(&self, usage: &Usage) -> HookAction {
///         self.0.set(usage.instructions);
///         HookAction::Continue
///     }
/// }
/// ```
///
/// ```
/// use pycage::{HookAction, MeterHook, Usage};
/// use std::sync::atomic::{AtomicU64, Ordering};
/// struct Looks(AtomicU64);
/// impl MeterHook for Looks {
///     fn checkpoint(&self, usage: &Usage) -> HookAction {
///         self.0.store(usage.instructions, Ordering::Relaxed);
///         HookAction::Continue
///     }
/// }
/// ```
struct HooksAreSync;

/// A task that is over is gone: what is dropped is not resumed.
///
/// ```compile_fail,E0382
/// let mut sandbox = pycage::Sandbox::new().unwrap();
/// sandbox.exec("def f(): return 1").unwrap();
/// let mut task = sandbox.start("f", ()).unwrap();
/// drop(task);
/// task.resume(pycage::Budget::default()).unwrap();
/// ```
///
/// ```
/// let mut sandbox = pycage::Sandbox::new().unwrap();
/// sandbox.exec("def f(): return 1").unwrap();
/// let mut task = sandbox.start("f", ()).unwrap();
/// task.resume(pycage::Budget::default()).unwrap();
/// drop(task);
/// ```
struct TasksEnd;
