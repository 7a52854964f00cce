//! Steps over the frames of a GIF, a WebP or a PNG without decoding them.

use std::io::{self, Read, Seek};

use super::super::format::VideoFormat;

/// How long each frame is shown, in seconds, as the file says it. Ends where the file does, or is not as it should be.
#[derive(Debug)]
pub(crate) struct Delays<R> {
    reader: R,
    format: VideoFormat,
    state: State,
    /// Whether a PNG has said that it is one of several frames.
    is_announced: bool,
}

#[derive(Debug, PartialEq)]
enum State {
    Start,
    /// At the beginning of a chunk or block, and how long the next frame of a GIF will be shown.
    Between(f64),
    Over,
}

impl<R: Read + Seek> Delays<R> {
    pub(crate) fn new(reader: R, format: VideoFormat) -> Self {
        Self { reader, format, state: State::Start, is_announced: false }
    }

    fn step(&mut self) -> io::Result<Option<f64>> {
        if self.state == State::Start {
            self.state = State::Between(0.0);
            if !self.begin()? {
                return Ok(None);
            }
        }
        match self.format {
            VideoFormat::AnimatedGif => self.gif(),
            VideoFormat::AnimatedWebP => self.webp(),
            _ => self.png(),
        }
    }

    /// Goes to the first chunk or block; whether there may be several frames.
    fn begin(&mut self) -> io::Result<bool> {
        self.reader.rewind()?;
        match self.format {
            VideoFormat::AnimatedGif => {
                let header: [u8; 13] = self.take()?;
                self.skip(colours(header[10]))?;
                Ok(true)
            }
            VideoFormat::AnimatedWebP => {
                let header: [u8; 30] = self.take()?;
                // An extended file with the flag of animations.
                Ok(header[12..16] == *b"VP8X" && header[20] & 2 != 0)
            }
            _ => self.skip(8).map(|()| true),
        }
    }

    fn gif(&mut self) -> io::Result<Option<f64>> {
        loop {
            match self.take()? {
                [0x21] => match self.take()? {
                    // Graphic control: its length, flags, the delay in hundredths, the transparent colour, the end.
                    [0xf9] => {
                        let [_, _, low, high, _, _] = self.take()?;
                        self.state = State::Between(f64::from(u16::from_le_bytes([low, high])) / 100.0);
                    }
                    [_] => self.blocks()?,
                },
                [0x2c] => {
                    let descriptor: [u8; 9] = self.take()?;
                    // The colours, and the length of codes.
                    self.skip(colours(descriptor[8]) + 1)?;
                    self.blocks()?;
                    let State::Between(delay) = std::mem::replace(&mut self.state, State::Between(0.0)) else {
                        return Ok(None);
                    };
                    return Ok(Some(delay));
                }
                _ => return Ok(None),
            }
        }
    }

    fn webp(&mut self) -> io::Result<Option<f64>> {
        loop {
            let [name @ .., a, b, c, d]: [u8; 8] = self.take()?;
            let length = u64::from(u32::from_le_bytes([a, b, c, d]));
            let padded = length + (length & 1);
            if name == *b"ANMF" && length >= 16 {
                let header: [u8; 16] = self.take()?;
                self.skip(padded - 16)?;
                return Ok(Some(f64::from(u32::from_le_bytes([header[12], header[13], header[14], 0])) / 1000.0));
            }
            self.skip(padded)?;
        }
    }

    fn png(&mut self) -> io::Result<Option<f64>> {
        loop {
            let [a, b, c, d, name @ ..]: [u8; 8] = self.take()?;
            let length = u64::from(u32::from_be_bytes([a, b, c, d]));
            match &name {
                b"fcTL" if length == 26 => {
                    let control: [u8; 26] = self.take()?;
                    self.skip(4)?;
                    let number = |at: usize| f64::from(u16::from_be_bytes([control[at], control[at + 1]]));
                    let denominator = if number(22) == 0.0 { 100.0 } else { number(22) };
                    return Ok(Some(number(20) / denominator));
                }
                b"IEND" => return Ok(None),
                b"IDAT" if !self.is_announced => return Ok(None),
                _ => {
                    self.is_announced |= name == *b"acTL";
                    self.skip(length + 4)?;
                }
            }
        }
    }

    /// Skips blocks of up to 255 bytes to the empty one.
    fn blocks(&mut self) -> io::Result<()> {
        loop {
            let [length] = self.take()?;
            if length == 0 {
                return Ok(());
            }
            self.skip(u64::from(length))?;
        }
    }

    fn take<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn skip(&mut self, bytes: u64) -> io::Result<()> {
        self.reader.seek_relative(i64::try_from(bytes).unwrap_or(i64::MAX))
    }
}

impl<R: Read + Seek> Iterator for Delays<R> {
    type Item = f64;

    fn next(&mut self) -> Option<f64> {
        if self.state == State::Over {
            return None;
        }
        let delay = self.step().unwrap_or_default();
        if delay.is_none() {
            self.state = State::Over;
        }
        delay
    }
}

/// Bytes of the table of colours that the flags of a GIF announce.
fn colours(flags: u8) -> u64 {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
}
