//! The parts of a record whose written form is not that of their type.

/// A time as milliseconds since 1970.
pub(super) mod millis {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::time::{Duration, SystemTime};

    pub(crate) fn serialize<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SystemTime, D::Error> {
        let millis = Duration::from_millis(u64::deserialize(deserializer)?);
        Ok(SystemTime::UNIX_EPOCH.checked_add(millis).unwrap_or(SystemTime::UNIX_EPOCH))
    }
}

/// A budget as its figures.
pub(super) mod budget {
    use crate::budget::Budget;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::time::Duration;

    #[derive(Serialize, Deserialize)]
    struct Figures {
        instructions: u64,
        timeout_ms: u64,
        memory: u64,
        allocations: u64,
        recursion: u64,
        output: u64,
        host_calls: u64,
    }

    pub(crate) fn serialize<S: Serializer>(budget: &Option<Budget>, serializer: S) -> Result<S::Ok, S::Error> {
        let figures = budget.as_ref().map(|budget| Figures {
            instructions: budget.instructions,
            timeout_ms: u64::try_from(budget.timeout.as_millis()).unwrap_or(u64::MAX),
            memory: budget.memory.value(),
            allocations: budget.allocations.value(),
            recursion: budget.recursion as u64,
            output: budget.output,
            host_calls: budget.host_calls,
        });
        figures.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Budget>, D::Error> {
        let figures = Option::<Figures>::deserialize(deserializer)?;
        Ok(figures.map(|figures| {
            Budget::default()
                .instructions(figures.instructions)
                .timeout(Duration::from_millis(figures.timeout_ms))
                .memory(figures.memory)
                .allocations(figures.allocations)
                .recursion(usize::try_from(figures.recursion).unwrap_or(usize::MAX))
                .output(figures.output)
                .host_calls(figures.host_calls)
        }))
    }
}

/// A bill as its figures.
pub(super) mod usage {
    use crate::usage::Usage;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::time::Duration;

    #[derive(Serialize, Deserialize)]
    struct Figures {
        instructions: u64,
        native_steps: u64,
        allocations: u64,
        allocated_bytes: u64,
        live_bytes: u64,
        peak_bytes: u64,
        output_bytes: u64,
        host_calls: u64,
        elapsed_ns: u64,
        host_ns: u64,
    }

    fn nanos(time: Duration) -> u64 {
        u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
    }

    pub(crate) fn serialize<S: Serializer>(usage: &Usage, serializer: S) -> Result<S::Ok, S::Error> {
        Figures {
            instructions: usage.instructions,
            native_steps: usage.native_steps,
            allocations: usage.allocations,
            allocated_bytes: usage.allocated_bytes,
            live_bytes: usage.live_bytes,
            peak_bytes: usage.peak_bytes,
            output_bytes: usage.output_bytes,
            host_calls: usage.host_calls,
            elapsed_ns: nanos(usage.elapsed),
            host_ns: nanos(usage.host_time),
        }
        .serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Usage, D::Error> {
        let figures = Figures::deserialize(deserializer)?;
        Ok(Usage {
            instructions: figures.instructions,
            native_steps: figures.native_steps,
            allocations: figures.allocations,
            allocated_bytes: figures.allocated_bytes,
            live_bytes: figures.live_bytes,
            peak_bytes: figures.peak_bytes,
            output_bytes: figures.output_bytes,
            host_calls: figures.host_calls,
            elapsed: Duration::from_nanos(figures.elapsed_ns),
            host_time: Duration::from_nanos(figures.host_ns),
        })
    }
}
