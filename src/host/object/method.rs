//! Closures as methods of a host object.

use crate::host::args::{Arguments, HostArg};
use crate::host::failure::{CallFailure, IntoAnswer};
use crate::stubs::signature::Signature;
use crate::value::Value;

/// Methods of a host object: closures that take `&T` or `&mut T` and then what a [`HostFunction`](crate::HostFunction)
/// takes.
///
/// ```
/// use pycage::{HostMethod, Members};
///
/// fn twice<T, Args>(members: &mut Members<T>, method: impl HostMethod<T, Args> + Clone) {
///     members.method("go", method.clone()).method("start", method);
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a method of a host object",
    note = "write out the types of all parameters, the first of them `&T` for `method` and `&mut T` for `method_mut`",
    note = "the others must be `FromValue`, `&str`, `CallContext`, `Rest` or `Kwargs`; there may be up to seven"
)]
pub trait HostMethod<T, Args>: Send + Sync + 'static {
    /// Takes the arguments and calls the closure.
    #[doc(hidden)]
    fn invoke(&self, this: &mut T, args: &mut Arguments<'_>) -> Result<Value, CallFailure>;

    /// What it takes beside the object, and what it answers, for stubs.
    #[doc(hidden)]
    fn signature() -> Signature
    where
        Self: Sized;
}

macro_rules! host_method {
    ($($arg:ident)*) => {
        impl<This, Function, Answer, $($arg: HostArg),*> HostMethod<This, fn(&This, $($arg),*) -> Answer> for Function
        where
            Function: Send + Sync + 'static,
            Function: Fn(&This, $($arg),*) -> Answer + for<'t, 'a> Fn(&'t This, $($arg::Item<'a>),*) -> Answer,
            Answer: IntoAnswer,
        {
            #[allow(non_snake_case)]
            fn invoke(&self, this: &mut This, args: &mut Arguments<'_>) -> Result<Value, CallFailure> {
                /// Settles which of the two bounds on `Function` is meant.
                #[inline]
                #[allow(clippy::too_many_arguments)]
                fn call<This, Answer, $($arg),*>(
                    method: impl Fn(& This, $($arg),*) -> Answer,
                    this: & This,
                    $($arg: $arg),*
                ) -> Answer {
                    method(this, $($arg),*)
                }
                $(let $arg = $arg::take(args)?;)*
                args.finish()?;
                args.run(|| call(self, this, $($arg),*).into_answer())?.map_err(CallFailure::Failed)
            }

            fn signature() -> Signature {
                Signature::of(Answer::type_hint(), &[$($arg::describe),*])
            }
        }

        impl<This, Function, Answer, $($arg: HostArg),*> HostMethod<This, fn(&mut This, $($arg),*) -> Answer> for Function
        where
            Function: Send + Sync + 'static,
            Function: Fn(&mut This, $($arg),*) -> Answer + for<'t, 'a> Fn(&'t mut This, $($arg::Item<'a>),*) -> Answer,
            Answer: IntoAnswer,
        {
            #[allow(non_snake_case)]
            fn invoke(&self, this: &mut This, args: &mut Arguments<'_>) -> Result<Value, CallFailure> {
                /// Settles which of the two bounds on `Function` is meant.
                #[inline]
                #[allow(clippy::too_many_arguments)]
                fn call<This, Answer, $($arg),*>(
                    method: impl Fn(&mut This, $($arg),*) -> Answer,
                    this: &mut This,
                    $($arg: $arg),*
                ) -> Answer {
                    method(this, $($arg),*)
                }
                $(let $arg = $arg::take(args)?;)*
                args.finish()?;
                args.run(|| call(self, this, $($arg),*).into_answer())?.map_err(CallFailure::Failed)
            }

            fn signature() -> Signature {
                Signature::of(Answer::type_hint(), &[$($arg::describe),*])
            }
        }
    };
}
host_method!();
host_method!(A);
host_method!(A B);
host_method!(A B C);
host_method!(A B C D);
host_method!(A B C D E);
host_method!(A B C D E F);
host_method!(A B C D E F G);

/// How a method is described.
pub(super) fn signature_of<T, Args, Method: HostMethod<T, Args>>(_: &Method) -> fn() -> Signature {
    Method::signature
}
