//! How much may cross between host and script at once.

/// Limits on the values that cross between host and script, both ways: the arguments of a call together, or an answer.
///
/// Part of the [`Policy`](crate::Policy), with safe defaults. A value over them does not cross: the host gets
/// [`Error::Conversion`](crate::Error::Conversion), a script a `TypeError`.
///
/// | limit | default |
/// |---|---|
/// | [`depth`](ValueLimits::depth) | 128 levels |
/// | [`items`](ValueLimits::items) | 2 million |
/// | [`bytes`](ValueLimits::bytes) | 256 MiB |
///
/// ```
/// use pycage::{Error, Policy, Sandbox, Value, ValueLimits};
///
/// let limits = ValueLimits::default().depth(3).items(100).bytes(1000);
/// let mut sandbox = Sandbox::builder().policy(Policy::default().value_limits(limits)).build()?;
/// assert!(sandbox.eval::<Value>("[[1]]").is_ok());
/// assert!(matches!(sandbox.eval::<Value>("[[[[1]]]]"), Err(Error::Conversion(_))));
/// assert!(matches!(sandbox.eval::<Value>("[0] * 200"), Err(Error::Conversion(_))));
/// assert!(matches!(sandbox.set("text", "x".repeat(2000)), Err(Error::Conversion(_))));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "process", derive(serde::Serialize, serde::Deserialize))]
pub struct ValueLimits {
    pub(crate) depth: usize,
    pub(crate) items: usize,
    pub(crate) bytes: usize,
}

/// Deeper ones are not let through whatever the host asks for: values are copied, shown and dropped by recursion.
const MAX_DEPTH: usize = 512;

impl Default for ValueLimits {
    fn default() -> Self {
        ValueLimits { depth: 128, items: 2_000_000, bytes: 256 << 20 }
    }
}

impl ValueLimits {
    /// How deep values may nest. At most 512.
    ///
    /// ```
    /// use pycage::{Policy, Sandbox, Value, ValueLimits};
    ///
    /// let policy = Policy::default().value_limits(ValueLimits::default().depth(2));
    /// let mut sandbox = Sandbox::builder().policy(policy).build()?;
    /// assert!(sandbox.eval::<Value>("[[[1]]]").is_err());
    /// # Ok::<(), pycage::Error>(())
    /// ```
    #[must_use]
    pub fn depth(mut self, levels: usize) -> Self {
        self.depth = levels.min(MAX_DEPTH);
        self
    }

    /// How many values may cross at once, those inside of others among them.
    ///
    /// ```
    /// use pycage::{Policy, Sandbox, Value, ValueLimits};
    ///
    /// let policy = Policy::default().value_limits(ValueLimits::default().items(2));
    /// let mut sandbox = Sandbox::builder().policy(policy).build()?;
    /// assert!(sandbox.eval::<Value>("[1, 2, 3]").is_err());
    /// # Ok::<(), pycage::Error>(())
    /// ```
    #[must_use]
    pub fn items(mut self, count: usize) -> Self {
        self.items = count;
        self
    }

    /// How many bytes of text, bytes and big ints may cross at once.
    ///
    /// ```
    /// use pycage::{Policy, Sandbox, Value, ValueLimits};
    ///
    /// let policy = Policy::default().value_limits(ValueLimits::default().bytes(2));
    /// let mut sandbox = Sandbox::builder().policy(policy).build()?;
    /// assert!(sandbox.eval::<Value>("'abc'").is_err());
    /// # Ok::<(), pycage::Error>(())
    /// ```
    #[must_use]
    pub fn bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }
}
