//! What a worker is told of a sandbox as it begins, and which functions of the host it may ask for from then on.

use super::handles::Handles;
use super::protocol::message::{Opening, WireMember, WireModule};
use crate::error::Error;
use crate::host::function::Erased;
use crate::host::module::{HostModule, Kind};
use crate::sandbox::Config;

pub(super) fn of(config: &Config, handles: &mut Handles) -> Result<Opening, Error> {
    let modules = config.provided.modules.iter().map(|module| wire(module, handles)).collect::<Result<_, _>>()?;
    let mut nameless = |function: &Option<Erased>| {
        function.as_ref().map(|function| handles.add_function(Vec::new(), function.clone()))
    };
    let (resolver, files) = (nameless(&config.provided.resolver), nameless(&config.provided.files));
    Ok(Opening { policy: config.policy.clone(), modules, resolver, files })
}

fn wire(module: &HostModule, handles: &mut Handles) -> Result<WireModule, Error> {
    let members = module.members.iter().map(|member| {
        let wire = match &member.kind {
            Kind::Constant(value) => WireMember::Constant(
                handles
                    .pack(value.clone())
                    .map_err(|error| Error::Setup(format!("the constant {}: {error}", module.full_name(member))))?,
            ),
            Kind::Function { parameters, function } => {
                WireMember::Function(handles.add_function(parameters.clone(), function.clone()))
            }
            Kind::Awaitable => WireMember::Awaitable,
            // Its future is polled with the host's.
            #[cfg(feature = "async")]
            Kind::Async(_) => WireMember::Awaitable,
        };
        Ok::<_, Error>((member.name.clone(), wire))
    });
    Ok(WireModule { name: module.name.clone(), members: members.collect::<Result<_, _>>()? })
}
