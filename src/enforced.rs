//! What the compiler enforces, as pairs of examples: the first is refused, and the second, which differs in nothing else,
//! is not. (For tests of the documentation alone. `trybuild` cannot pass on the flag that our dependencies need.)

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
/// ```compile_fail
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
/// ```compile_fail
/// use pycage::{CallContext, Sandbox};
/// let mut sandbox = Sandbox::new().unwrap();
/// let mut kept = Vec::new();
/// sandbox.scope(|scope| scope.function("keep", |context: CallContext| kept.push(context)).unwrap());
/// ```
///
/// ```
/// use pycage::{CallContext, Sandbox};
/// let mut sandbox = Sandbox::new().unwrap();
/// let mut kept = Vec::new();
/// sandbox.scope(|scope| scope.function("keep", |context: CallContext| kept.push(context.usage())).unwrap());
/// ```
struct ContextsEnd;

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
/// ```compile_fail
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
/// ```compile_fail
/// let runner = pycage::Runner::new().unwrap();
/// let cage = runner.with(|cage| cage).unwrap();
/// ```
///
/// ```
/// let runner = pycage::Runner::new().unwrap();
/// let cage = runner.with(|cage| std::mem::size_of_val(cage)).unwrap();
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
