//! Frames: a length of four bytes, then that much JSON.

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::error::{Context, Error, Result};

/// What one read asks for: nearly every message comes as a whole.
const ROOM: usize = 4096;
/// No message comes near it; a larger length means that something else speaks on the socket.
const LIMIT: usize = 16 << 20;

pub(crate) struct FrameReader<R, T> {
    inner: R,
    /// What has come of the next frame: reading can be interrupted at any point without losing bytes.
    buffer: Vec<u8>,
    kind: PhantomData<T>,
}

impl<R: AsyncRead + Unpin, T: DeserializeOwned> FrameReader<R, T> {
    pub(crate) fn new(inner: R) -> Self {
        Self {
            inner,
            buffer: Vec::new(),
            kind: PhantomData,
        }
    }

    /// The next message, or none when the other side is gone. Safe to cancel.
    pub(crate) async fn next(&mut self) -> Result<Option<T>> {
        loop {
            if let Some(message) = self.take()? {
                return Ok(Some(message));
            }
            self.buffer.reserve(ROOM);
            let read = self.inner.read_buf(&mut self.buffer).await;
            if read.is_err() || read.is_ok_and(|count| count == 0) {
                return Ok(None);
            }
        }
    }

    fn take(&mut self) -> Result<Option<T>> {
        let Some(header) = self.buffer.first_chunk::<4>() else {
            return Ok(None);
        };
        let length = u32::from_le_bytes(*header) as usize;
        if length > LIMIT {
            return Err(Error::new(format!(
                "a message of {length} bytes was announced on the supervisor's socket"
            )));
        }
        let Some(body) = self.buffer.get(4..4 + length) else {
            return Ok(None);
        };
        let message = serde_json::from_slice(body).context(|| "a message on the supervisor's socket makes no sense")?;
        self.buffer.drain(..4 + length);
        Ok(Some(message))
    }
}

pub(crate) struct FrameWriter<W>(W);

impl<W: AsyncWrite + Unpin> FrameWriter<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self(inner)
    }

    pub(crate) async fn send(&mut self, message: &impl Serialize) -> Result<()> {
        let body = serde_json::to_vec(message).context(|| "failed to write a message as JSON")?;
        let length = u32::try_from(body.len()).context(|| "a message is too long")?;
        let mut frame = Vec::with_capacity(4 + body.len());
        frame.extend_from_slice(&length.to_le_bytes());
        frame.extend_from_slice(&body);
        self.0
            .write_all(&frame)
            .await
            .context(|| "failed to write to the supervisor's socket")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn messages_come_out_as_they_went_in() {
        let (ours, theirs) = tokio::io::duplex(7);
        let send = async {
            let mut writer = FrameWriter::new(ours);
            writer.send(&"first").await.expect("sent");
            writer.send(&"second").await.expect("sent");
        };
        let receive = async {
            let mut reader = FrameReader::<_, String>::new(theirs);
            let mut all = Vec::new();
            while let Some(message) = reader.next().await.expect("valid") {
                all.push(message);
            }
            all
        };
        let ((), all) = tokio::join!(send, receive);
        assert_eq!(all, ["first", "second"]);
    }

    #[tokio::test]
    async fn what_is_no_message_is_an_error() {
        let mut reader = FrameReader::<_, String>::new(&b"GET / HTTP/1.1\r\n"[..]);
        assert!(reader.next().await.is_err());
    }
}
