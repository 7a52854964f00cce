//! The Huffman codes of a baseline JPEG (ITU-T T.81, annexes C and F), read for speed: most coefficients take one look-up.
#![allow(clippy::inline_always, reason = "most of the time of a scan by hashes is spent in these few lines")]

/// Bits that are looked up at once.
const LOOK: u32 = 10;

/// Entropy-coded bytes without the zeros that are stuffed behind every 0xff, followed by at least [`Bits::PADDING`] others.
///
/// A file is never trusted: what is read beyond the end is found out by [`Bits::is_used_up`] after the fact, or by the end of
/// the padding before.
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    /// Bytes without the padding.
    length: usize,
    /// Where the next byte is.
    at: usize,
    /// The next bits, from the highest on.
    buffer: u64,
    /// How many of them are counted as taken from `bytes`.
    left: u32,
}

impl<'a> Bits<'a> {
    pub(super) const PADDING: usize = 16;

    /// `None` where the padding is missing.
    pub(super) fn new(bytes: &'a [u8]) -> Option<Self> {
        let length = bytes.len().checked_sub(Self::PADDING)?;
        Some(Self { bytes, length, at: 0, buffer: 0, left: 0 })
    }

    /// At least 56 bits are there after this. `None` at the end of the padding.
    #[inline(always)]
    fn refill(&mut self) -> Option<()> {
        let next = self.bytes.get(self.at..)?.first_chunk()?;
        self.buffer |= u64::from_be_bytes(*next) >> self.left;
        self.at += ((63 - self.left) >> 3) as usize;
        self.left |= 0x38;
        Some(())
    }

    /// Enough for a code of 16 bits and as many that follow it.
    #[inline(always)]
    fn need(&mut self) -> Option<()> {
        if self.left < 32 { self.refill() } else { Some(()) }
    }

    #[inline(always)]
    fn drop(&mut self, count: u32) {
        self.buffer <<= count;
        self.left -= count;
    }

    /// The next `count` bits, 1 to 16, as T.81 extends them: half of the numbers are negative.
    #[inline(always)]
    fn signed(&mut self, count: u32) -> i32 {
        let bits = (self.buffer >> (64 - count)) as i32;
        self.drop(count);
        if bits < 1 << (count - 1) { bits - (1 << count) + 1 } else { bits }
    }

    /// Whether what was read is all there was but for the bits that fill up the last byte.
    pub(super) fn is_used_up(&self) -> bool {
        let read = 8 * self.at - self.left as usize;
        read <= 8 * self.length && read + 8 > 8 * self.length
    }
}

/// What is found under the next [`LOOK`] bits. From the lowest bit on: 5 bits of how many are used up, 3 of [`Kind`], 8 of the
/// symbol, 16 of the value.
type Entry = u32;

/// The code is longer than what is looked up.
const LONG: Entry = 0;
/// The symbol is known, the bits that follow it are not among those looked up.
const SYMBOL: Entry = 1 << 5;
/// Symbol and value are known.
const VALUE: Entry = 1 << 6;

/// A table of codes.
pub(super) struct Table {
    look: [Entry; 1 << LOOK],
    /// Of the codes of each length one more than the last, shifted to 16 bits; and what has to be added to a code of that
    /// length to have the place of its symbol.
    ends: [u32; 17],
    offsets: [i32; 17],
    symbols: [u8; 256],
}

impl Table {
    /// The table of a DHT segment: the numbers of codes of 1 to 16 bits, and their symbols. `None` where there are more codes
    /// than bits allow, or fewer symbols than codes.
    pub(super) fn new(counts: &[u8; 16], of: &[u8]) -> Option<Self> {
        let mut table = Self { look: [LONG; 1 << LOOK], ends: [0; 17], offsets: [0; 17], symbols: [0; 256] };
        table.symbols.get_mut(..of.len())?.copy_from_slice(of);
        let (mut code, mut place) = (0u32, 0usize);
        for (length, &count) in (1u32..).zip(counts) {
            table.offsets[length as usize] = place.cast_signed() as i32 - code.cast_signed();
            for &symbol in of.get(place..place + usize::from(count))? {
                if length <= LOOK {
                    table.fill(code, length, symbol)?;
                }
                code += 1;
            }
            place += usize::from(count);
            // All ones is no code.
            if code >= 1 << length && count > 0 {
                return None;
            }
            table.ends[length as usize] = code << (16 - length);
            code <<= 1;
        }
        (place == of.len()).then_some(table)
    }

    /// Enters a code of at most [`LOOK`] bits under all that it may be followed by.
    fn fill(&mut self, code: u32, length: u32, symbol: u8) -> Option<()> {
        let rest = LOOK - length;
        let size = u32::from(symbol & 15);
        let all = self.look.get_mut((code << rest) as usize..((code + 1) << rest) as usize)?;
        for (following, entry) in (0u32..).zip(all) {
            *entry = length | SYMBOL | u32::from(symbol) << 8;
            if (1..=rest).contains(&size) {
                let bits = (following >> (rest - size)).cast_signed();
                let value = if bits < 1 << (size - 1) { bits - (1 << size) + 1 } else { bits };
                *entry = (length + size) | VALUE | u32::from(symbol) << 8 | value.cast_unsigned() << 16;
            }
        }
        Some(())
    }

    /// The next symbol, which no value follows yet. `None` where there is no such code.
    #[inline(always)]
    fn symbol(&self, bits: &mut Bits<'_>, entry: Entry) -> Option<u8> {
        if entry != LONG {
            bits.drop(entry & 31);
            return Some((entry >> 8) as u8);
        }
        self.long(bits)
    }

    #[cold]
    fn long(&self, bits: &mut Bits<'_>) -> Option<u8> {
        let next = (bits.buffer >> 48) as u32;
        let length = (LOOK + 1..=16).find(|&length| next < self.ends[length as usize])?;
        bits.drop(length);
        let place = (next >> (16 - length)).cast_signed() + self.offsets[length as usize];
        self.symbols.get(usize::try_from(place).ok()?).copied()
    }

    #[inline(always)]
    fn look(&self, bits: &Bits<'_>) -> Entry {
        self.look[(bits.buffer >> (64 - LOOK)) as usize]
    }

    /// The difference of a DC coefficient from the one before. `None` where the data is not as it should be.
    #[inline(always)]
    pub(super) fn dc(&self, bits: &mut Bits<'_>) -> Option<i32> {
        bits.need()?;
        let entry = self.look(bits);
        if entry & VALUE != 0 {
            bits.drop(entry & 31);
            return Some(entry.cast_signed() >> 16);
        }
        match self.symbol(bits, entry)? {
            0 => Some(0),
            size @ 1..=11 => Some(bits.signed(u32::from(size))),
            _ => None,
        }
    }

    /// Calls `each` with the place in zigzag order, 1 to 63, and the value of each AC coefficient of a block that is not 0.
    /// `None` where the data is not as it should be.
    #[inline(always)]
    pub(super) fn ac(&self, bits: &mut Bits<'_>, mut each: impl FnMut(usize, i32)) -> Option<()> {
        let mut k = 1;
        while k < 64 {
            bits.need()?;
            let entry = self.look(bits);
            let value = if entry & VALUE != 0 {
                bits.drop(entry & 31);
                k += (entry >> 12 & 15) as usize;
                entry.cast_signed() >> 16
            } else {
                let symbol = self.symbol(bits, entry)?;
                let (run, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
                k += run;
                match size {
                    0 if run == 0 => return Some(()),
                    0 if run == 15 => {
                        k += 1;
                        continue;
                    }
                    1..=10 => bits.signed(size),
                    _ => return None,
                }
            };
            if k > 63 {
                return None;
            }
            // In one place only: called in two, it would not be inlined, and it is what most of the time goes into.
            each(k, value);
            k += 1;
        }
        (k == 64).then_some(())
    }

    /// Passes over the AC coefficients of a block.
    #[inline(always)]
    pub(super) fn pass(&self, bits: &mut Bits<'_>) -> Option<()> {
        self.ac(bits, |_, _| {})
    }
}
