//! What a worker is told of a sandbox as it begins, and which functions of the host it may ask for from then on.

use super::protocol::message::{Opening, WireMember, WireModule};
use super::session::flat;
use crate::error::Error;
use crate::host::function::Erased;
use crate::host::module::{HostModule, Kind};
use crate::sandbox::Config;

/// A host function, with the names of its parameters. Workers know it by its place.
pub(super) type NamedFunction = (Vec<String>, Erased);

pub(super) fn of(config: &Config) -> Result<(Opening, Vec<NamedFunction>), Error> {
    let mut functions = Vec::new();
    let modules =
        config.provided.modules.iter().map(|module| wire(module, &mut functions)).collect::<Result<_, _>>()?;
    let mut nameless = |function: &Option<Erased>| {
        function.as_ref().map(|function| number(&mut functions, (Vec::new(), function.clone())))
    };
    let (resolver, files) = (nameless(&config.provided.resolver), nameless(&config.provided.files));
    Ok((Opening { policy: config.policy.clone(), modules, resolver, files }, functions))
}

fn wire(module: &HostModule, functions: &mut Vec<NamedFunction>) -> Result<WireModule, Error> {
    let members = module.members.iter().map(|member| {
        let wire = match &member.kind {
            Kind::Constant(value) => WireMember::Constant(
                flat(value.clone())
                    .map_err(|error| Error::Setup(format!("the constant {}: {error}", module.full_name(member))))?,
            ),
            Kind::Function { parameters, function } => {
                WireMember::Function(number(functions, (parameters.clone(), function.clone())))
            }
            Kind::Awaitable => WireMember::Awaitable,
            #[cfg(feature = "async")]
            Kind::Async(_) => {
                return Err(Error::Setup(format!(
                    "{} is an async function of the host, and a sandbox in a worker process has no async calls; make it \
                     an awaitable, and drive a task",
                    module.full_name(member)
                )));
            }
        };
        Ok::<_, Error>((member.name.clone(), wire))
    });
    Ok(WireModule { name: module.name.clone(), members: members.collect::<Result<_, _>>()? })
}

fn number(functions: &mut Vec<NamedFunction>, function: NamedFunction) -> u32 {
    functions.push(function);
    u32::try_from(functions.len() - 1).unwrap_or(u32::MAX)
}
