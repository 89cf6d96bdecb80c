//! Frames: reading them from somebody who may be lying, and writing them in one piece.

use std::io::{ErrorKind, Read, Write};
use thiserror::Error as ThisError;

/// The most that any frame may have.
pub(crate) const MAX_FRAME: usize = 64 << 20;

/// Length and kind.
const HEADER: usize = 5;

/// The reader's buffer at first: a page, so that a forked worker has no more than that to make its own.
const FIRST: usize = 4 << 10;

/// What the reader's and the writer's buffers keep between large frames.
const BUFFER: usize = 64 << 10;

/// What is wrong with what came.
#[derive(Debug, ThisError)]
pub(crate) enum FrameError {
    /// The other side closed the pipe between two frames.
    #[error("the pipe was closed")]
    Closed,
    #[error("the pipe was closed in the middle of a frame")]
    Truncated,
    #[error("a frame of kind {kind} has {length} bytes, {cap} are allowed")]
    TooLarge { kind: u8, length: usize, cap: usize },
    #[error("an empty frame")]
    Empty,
    #[error("a frame of the unknown kind {0}")]
    UnknownKind(u8),
    #[error("a frame of kind {kind} does not decode: {why}")]
    Malformed { kind: u8, why: postcard::Error },
    #[error("a frame of kind {0} has bytes behind its end")]
    TrailingBytes(u8),
    #[error("what is to be sent has {0} bytes, more than a frame can")]
    DoesNotFit(usize),
    /// A frame that has no place where it came.
    #[error("{0}")]
    OutOfOrder(String),
    #[error("the pipe: {0}")]
    Io(std::io::Error),
}

/// What can be in a frame, one way.
pub(crate) trait Message: Sized {
    /// The most that a frame of this kind may have, or `None` for a kind that there is not.
    fn cap(kind: u8) -> Option<usize>;
    fn decode(kind: u8, payload: &[u8]) -> Result<Self, FrameError>;
    fn kind(&self) -> u8;
    fn encode(&self, out: Vec<u8>) -> Result<Vec<u8>, postcard::Error>;
}

/// Reads frames.
pub(crate) struct FrameReader<R> {
    input: R,
    buffer: Vec<u8>,
    begin: usize,
    end: usize,
}

impl<R: Read> FrameReader<R> {
    pub(crate) fn new(input: R) -> Self {
        FrameReader { input, buffer: vec![0; FIRST], begin: 0, end: 0 }
    }

    /// Waits for the next frame.
    pub(crate) fn next<M: Message>(&mut self) -> Result<M, FrameError> {
        self.fill(HEADER)?;
        let header = &self.buffer[self.begin..self.begin + HEADER];
        let length = u32::from_le_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let kind = header[4];
        if length == 0 {
            return Err(FrameError::Empty);
        }
        let cap = M::cap(kind).ok_or(FrameError::UnknownKind(kind))?;
        if length > cap {
            return Err(FrameError::TooLarge { kind, length, cap });
        }
        let whole = HEADER + length - 1;
        self.fill(whole)?;
        let message = M::decode(kind, &self.buffer[self.begin + HEADER..self.begin + whole]);
        self.begin += whole;
        if self.begin == self.end {
            (self.begin, self.end) = (0, 0);
            if self.buffer.len() > BUFFER {
                self.buffer = vec![0; BUFFER];
            }
        }
        message
    }

    /// Whether something has been read that is not yet taken.
    pub(crate) fn has_buffered(&self) -> bool {
        self.end > self.begin
    }

    /// Reads until `want` bytes are there. The buffer doubles only when it is full of what did arrive.
    fn fill(&mut self, want: usize) -> Result<(), FrameError> {
        while self.end - self.begin < want {
            if self.end == self.buffer.len() {
                if self.begin > 0 {
                    self.buffer.copy_within(self.begin..self.end, 0);
                    self.end -= self.begin;
                    self.begin = 0;
                } else {
                    self.buffer.resize(self.buffer.len() * 2, 0);
                }
            }
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) if self.has_buffered() => return Err(FrameError::Truncated),
                Ok(0) => return Err(FrameError::Closed),
                Ok(count) => self.end += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(FrameError::Io(error)),
            }
        }
        Ok(())
    }
}

/// Writes a frame in one piece. `scratch` is kept from call to call, to save the allocation.
pub(crate) fn write<M: Message>(output: &mut dyn Write, scratch: &mut Vec<u8>, message: &M) -> Result<(), FrameError> {
    let kind = message.kind();
    let mut frame = std::mem::take(scratch);
    frame.clear();
    frame.extend_from_slice(&[0, 0, 0, 0, kind]);
    let mut frame = message.encode(frame).map_err(|why| FrameError::Malformed { kind, why })?;
    let length = frame.len() - HEADER + 1;
    if M::cap(kind).is_none_or(|cap| length > cap) {
        return Err(FrameError::DoesNotFit(length));
    }
    frame[..4].copy_from_slice(&(length as u32).to_le_bytes());
    output.write_all(&frame).and_then(|()| output.flush()).map_err(FrameError::Io)?;
    if frame.capacity() <= BUFFER {
        *scratch = frame;
    }
    Ok(())
}

/// Decodes all of a payload.
pub(crate) fn decode_all<'a, T: serde::Deserialize<'a>>(kind: u8, payload: &'a [u8]) -> Result<T, FrameError> {
    match postcard::take_from_bytes(payload) {
        Ok((value, [])) => Ok(value),
        Ok(_) => Err(FrameError::TrailingBytes(kind)),
        Err(why) => Err(FrameError::Malformed { kind, why }),
    }
}
