//! Audit records as lines of JSON.

use super::audit::{AuditFailures, AuditRecord, AuditSink};
use parking_lot::Mutex;
use std::error::Error as StdError;
use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

/// An [`AuditSink`] that writes each record as one line of JSON, in the form that [`AuditRecord`] describes (feature `json`).
///
/// Clones write to the same writer, a line at a time, so one can be given to any number of sandboxes, on any threads. Each
/// line is flushed, and goes to the writer in one piece: give it a `File` opened to append, with no buffer in between.
///
/// When the writer fails, the script does not notice. The record is lost, and that is told in three ways: by
/// [`JsonLines::failures`], by [`Sandbox::audit_failures`](crate::Sandbox::audit_failures), and by an event of the target
/// `pycage::audit` (feature `tracing`). A reader sees it by the gap in the numbers of a sandbox's runs. Should a line have been written in
/// part, the next one begins on a line of its own.
///
/// ```no_run
/// use pycage::{JsonLines, Sandbox};
/// use std::fs::File;
///
/// let audit = JsonLines::new(File::options().create(true).append(true).open("audit.jsonl")?);
/// let mut sandbox = Sandbox::builder().audit(audit.clone()).build()?;
/// sandbox.exec("x = 1")?;
/// if audit.failures().count > 0 {
///     eprintln!("records were lost");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct JsonLines {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    writer: Box<dyn Write + Send>,
    /// Whether the last line may have been written in part.
    torn: bool,
    failures: AuditFailures,
}

impl JsonLines {
    /// Writes to `writer`.
    ///
    /// ```
    /// let audit = pycage::JsonLines::new(std::io::sink());
    /// assert_eq!(audit.failures().count, 0);
    /// ```
    pub fn new(writer: impl Write + Send + 'static) -> Self {
        let inner = Inner { writer: Box::new(writer), torn: false, failures: AuditFailures::default() };
        JsonLines { inner: Arc::new(Mutex::new(inner)) }
    }

    /// Records that could not be written, of all sandboxes that write here.
    ///
    /// ```
    /// use pycage::{JsonLines, Sandbox};
    ///
    /// // A writer with room for nothing.
    /// let audit = JsonLines::new(std::io::Cursor::new([0_u8; 0]));
    /// let mut sandbox = Sandbox::builder().audit(audit.clone()).build()?;
    /// assert_eq!(sandbox.eval::<i64>("6 * 7")?, 42);
    /// assert_eq!(audit.failures().count, 1);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn failures(&self) -> AuditFailures {
        self.inner.lock().failures.clone()
    }
}

impl AuditSink for JsonLines {
    fn record(&self, record: &AuditRecord) -> Result<(), Box<dyn StdError + Send + Sync>> {
        let line = serde_json::to_vec(record);
        let mut inner = self.inner.lock();
        let written = line.map_err(io::Error::from).and_then(|line| inner.write(&line));
        if let Err(error) = &written {
            inner.failures.count += 1;
            inner.failures.last = Some(error.to_string());
        }
        Ok(written?)
    }
}

impl Inner {
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let mut text = Vec::with_capacity(line.len() + 2);
        if self.torn {
            text.push(b'\n');
        }
        text.extend_from_slice(line);
        text.push(b'\n');
        // Also should the writer panic in the middle.
        self.torn = true;
        self.writer.write_all(&text)?;
        self.writer.flush()?;
        self.torn = false;
        Ok(())
    }
}

impl fmt::Debug for JsonLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonLines").field("failures", &self.failures()).finish_non_exhaustive()
    }
}
