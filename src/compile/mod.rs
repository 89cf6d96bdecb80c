//! The compile ring: limits, parse, validate, compile, instrument.
