//! Baseline JPEG straight to luminance of the wanted size, without the pixels in between.
//!
//! Inverse DCT (ITU-T T.81, A.3.3) and filter are both linear and both separable. So a coefficient adds to each pixel of the
//! result a share that is a product: of what the filter across makes of the cosine across, and of what the filter down makes of
//! the cosine down. A block of 8 × 8 pixels has a part in a few pixels of the result, so that this costs less than the pixels
//! would, and nothing is rounded to bytes on the way. Of the chrominance only the lengths of its codes are looked at.
//!
//! Only the most common files are read, and only where nothing about them is odd: for all others, damaged ones included, the
//! answer is `None`, and what they are is for `zune-jpeg` to say.

use std::f32::consts::PI;
use std::ops::Range;

use memchr::memchr;

use super::huffman::{Bits, Table};
use crate::jarosz::Kernel;

/// Pixels of the result, along an axis, that a block may have a part in.
const REACH: usize = 4;

/// The luminance that the kernels make of a file, whose `size` is what somebody else read in its header. `None` also where a
/// block has a part in too many pixels.
pub(super) fn read(bytes: &[u8], size: (u32, u32), across: &Kernel, down: &Kernel) -> Option<Vec<u8>> {
    let frame = Frame::parse(bytes).filter(|frame| frame.size == size)?;
    frame.decode(&Shares::new(across, size.0)?, &Shares::new(down, size.1)?)
}

/// What the frequencies of each block along an axis add to the pixels of the result.
struct Shares {
    blocks: Vec<Share>,
    /// Pixels of the result.
    out: usize,
}

#[derive(Clone, Copy, Default)]
struct Share {
    /// The first pixel that it has a part in, and how many these are.
    first: usize,
    count: usize,
    of: [[f32; REACH]; 8],
}

impl Shares {
    /// `None` where a block has a part in more than [`REACH`] pixels.
    fn new(kernel: &Kernel, length: u32) -> Option<Self> {
        let cosines: [[f32; 8]; 8] = std::array::from_fn(|x| {
            std::array::from_fn(|frequency| match frequency {
                0 => 0.125f32.sqrt(),
                _ => 0.5 * ((2 * x + 1) as f32 * frequency as f32 * PI / 16.0).cos(),
            })
        });
        let mut blocks = vec![Share::default(); length.div_ceil(8) as usize];
        for (pixel, (start, weights)) in kernel.iter().enumerate() {
            for (at, &weight) in (start..).zip(weights).filter(|(_, weight)| **weight > 0) {
                let share = blocks.get_mut(at / 8)?;
                if share.count == 0 {
                    share.first = pixel;
                }
                let place = pixel.checked_sub(share.first).filter(|&place| place < REACH)?;
                share.count = place + 1;
                let weight = f32::from(weight) / kernel.total() as f32;
                for (share, cosine) in share.of.iter_mut().zip(&cosines[at % 8]) {
                    share[place] += weight * cosine;
                }
            }
        }
        Some(Self { blocks, out: kernel.out() })
    }
}

type Tables = [Option<Box<Table>>; 4];

/// A file up to its entropy-coded data.
struct Frame<'a> {
    /// Width and height.
    size: (u32, u32),
    /// In the order of the scan; luminance is the first.
    components: Vec<Component>,
    dc: Tables,
    ac: Tables,
    /// Of the luminance, in zigzag order.
    quantisation: [u16; 64],
    /// MCUs between two restarts; `None` where there are none.
    interval: Option<usize>,
    data: &'a [u8],
}

#[derive(Debug, Clone, Copy)]
struct Component {
    id: u8,
    /// Horizontal and vertical sampling.
    sampling: (usize, usize),
    quantisation: u8,
    dc: usize,
    ac: usize,
}

impl<'a> Frame<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(&[0xff, 0xd8])?;
        let mut quantisation: [Option<[u16; 64]>; 4] = [None; 4];
        let (mut dc, mut ac) = (Tables::default(), Tables::default());
        let (mut frame, mut interval) = (None, None);
        loop {
            let [0xff, marker, after @ ..] = rest else { return None };
            let length = usize::from(u16::from_be_bytes(*after.first_chunk()?));
            let segment = after.get(2..length)?;
            rest = &after[length..];
            match marker {
                0xdb => quantisation_tables(segment, &mut quantisation)?,
                0xc4 => huffman_tables(segment, &mut dc, &mut ac)?,
                // Baseline, and extended sequential with Huffman codes.
                0xc0 | 0xc1 if frame.is_none() => frame = Some(frame_header(segment)?),
                0xdd => {
                    let interval_of = u16::from_be_bytes(segment.try_into().ok()?);
                    interval = Some(usize::from(interval_of)).filter(|&interval| interval > 0);
                }
                0xda => {
                    let (size, mut components) = frame?;
                    scan_header(segment, &mut components)?;
                    // Chrominance is not looked at, but a file that lacks a table of it is no file.
                    let table = |component: &Component| *quantisation.get(usize::from(component.quantisation))?;
                    let tables = components.iter().map(table).collect::<Option<Vec<_>>>()?;
                    let quantisation = *tables.first()?;
                    return Some(Self { size, components, dc, ac, quantisation, interval, data: rest });
                }
                // Applications' own, and comments; everything else, other frames included, is not for here.
                0xe0..=0xef | 0xfe => {}
                _ => return None,
            }
        }
    }

    fn decode(&self, across: &Shares, down: &Shares) -> Option<Vec<u8>> {
        let (first, others) = self.components.split_first()?;
        let (dc, ac) = (self.dc.get(first.dc)?.as_ref()?, self.ac.get(first.ac)?.as_ref()?);
        // Of each block of chrominance in an MCU, its tables.
        let mut passed = Vec::new();
        for other in others {
            let tables = (self.dc.get(other.dc)?.as_ref()?, self.ac.get(other.ac)?.as_ref()?);
            passed.extend((0..other.sampling.0 * other.sampling.1).map(|_| tables));
        }
        // The sampling of the only component means nothing: an MCU is a block.
        let (blocks_across, blocks_down) = if others.is_empty() { (1, 1) } else { first.sampling };
        let columns = across.blocks.len().div_ceil(blocks_across);
        let mcus = columns * down.blocks.len().div_ceil(blocks_down);
        let steps = self.quantisation.map(f32::from);

        let interval = self.interval.unwrap_or(mcus);
        let (data, intervals) = unstuffed(self.data, mcus.div_ceil(interval))?;
        // With room for as many pixels as the last block could have a part in.
        let stride = across.out + REACH;
        let mut pixels = vec![128.0; stride * (down.out + REACH)];
        for (number, range) in intervals.into_iter().enumerate() {
            let mut bits = Bits::new(data.get(range)?)?;
            let mut mean = 0i32;
            for mcu in number * interval..((number + 1) * interval).min(mcus) {
                let (column, row) = (mcu % columns, mcu / columns);
                for block in 0..blocks_across * blocks_down {
                    mean = Some(mean + dc.dc(&mut bits)?).filter(|mean| mean.abs() < 1 << 15)?;
                    let x = across.blocks.get(column * blocks_across + block % blocks_across);
                    let y = down.blocks.get(row * blocks_down + block / blocks_across);
                    let (Some(x), Some(y)) = (x.filter(|x| x.count > 0), y.filter(|y| y.count > 0)) else {
                        ac.pass(&mut bits)?;
                        continue;
                    };
                    // Filtered across, and not down yet.
                    let mut rows = [[0.0; REACH]; 8];
                    add(&mut rows[0], mean as f32 * steps[0], &x.of[0]);
                    ac.ac(&mut bits, |k, value| {
                        let place = ZIGZAG[k & 63];
                        let (v, u) = (usize::from(place >> 3 & 7), usize::from(place & 7));
                        add(&mut rows[v], value as f32 * steps[k & 63], &x.of[u]);
                    })?;
                    let lines = pixels.get_mut(y.first * stride + x.first..)?.chunks_mut(stride);
                    for (place, line) in lines.take(y.count).enumerate() {
                        let line = line.first_chunk_mut::<REACH>()?;
                        for (row, share) in rows.iter().zip(&y.of) {
                            add(line, share[place], row);
                        }
                    }
                }
                for (dc, ac) in &passed {
                    dc.dc(&mut bits)?;
                    ac.pass(&mut bits)?;
                }
            }
            if !bits.is_used_up() {
                return None;
            }
        }
        let lines = pixels.chunks_exact(stride).take(down.out);
        Some(lines.flat_map(|line| &line[..across.out]).map(|pixel| (pixel + 0.5) as u8).collect())
    }
}

#[inline]
fn add(to: &mut [f32; REACH], factor: f32, of: &[f32; REACH]) {
    for (to, of) in to.iter_mut().zip(of) {
        *to += factor * of;
    }
}

/// Where the coefficients are that come one after the other (T.81, figure 5).
pub(super) const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21,
    28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54,
    47, 55, 62, 63,
];

/// Enters the tables of a DQT segment, each in zigzag order. `None` where it is not as it should be.
pub(super) fn quantisation_tables(mut segment: &[u8], tables: &mut [Option<[u16; 64]>; 4]) -> Option<()> {
    while let [kind, rest @ ..] = segment {
        let table = tables.get_mut(usize::from(kind & 15))?;
        if kind >> 4 == 0 {
            let (values, rest) = rest.split_first_chunk::<64>()?;
            (*table, segment) = (Some(values.map(u16::from)), rest);
        } else {
            let (values, rest) = rest.split_first_chunk::<128>()?;
            let (values, _) = values.as_chunks::<2>();
            (*table, segment) = (Some(std::array::from_fn(|k| u16::from_be_bytes(values[k]))), rest);
        }
    }
    Some(())
}

fn huffman_tables(mut segment: &[u8], dc: &mut Tables, ac: &mut Tables) -> Option<()> {
    while let [kind, rest @ ..] = segment {
        let (counts, rest) = rest.split_first_chunk::<16>()?;
        let (symbols, rest) = rest.split_at_checked(counts.iter().map(|&count| usize::from(count)).sum())?;
        let tables = match kind >> 4 {
            // The length of a difference, and no run beside it.
            0 if symbols.iter().all(|&symbol| symbol <= 11) => &mut *dc,
            1 => &mut *ac,
            _ => return None,
        };
        *tables.get_mut(usize::from(kind & 15))? = Some(Box::new(Table::new(counts, symbols)?));
        segment = rest;
    }
    Some(())
}

/// Size and components: one, or three of which none has more samples than the first.
fn frame_header(segment: &[u8]) -> Option<((u32, u32), Vec<Component>)> {
    let ([8, h1, h0, w1, w0, count], components) = segment.split_first_chunk::<6>()? else { return None };
    let size = (u32::from(u16::from_be_bytes([*w1, *w0])), u32::from(u16::from_be_bytes([*h1, *h0])));
    let (components, []) = components.as_chunks::<3>() else { return None };
    let components: Vec<Component> = components
        .iter()
        .map(|&[id, sampling, quantisation]| {
            let sampling = (usize::from(sampling >> 4), usize::from(sampling & 15));
            Component { id, sampling, quantisation, dc: 0, ac: 0 }
        })
        .collect();
    let most = components.first()?.sampling;
    let fits = |component: &Component| {
        let (across, down) = component.sampling;
        (1..=most.0).contains(&across) && (1..=most.1).contains(&down) && most.0 <= 4 && most.1 <= 4
    };
    let is_known = matches!(count, 1 | 3) && components.len() == usize::from(*count) && components.iter().all(fits);
    (is_known && size.0 > 0 && size.1 > 0).then_some((size, components))
}

/// The tables of all components, which have to be in the scan in their order.
fn scan_header(segment: &[u8], components: &mut [Component]) -> Option<()> {
    let [count, rest @ ..] = segment else { return None };
    let (selectors, spectrum) = rest.split_at_checked(2 * usize::from(*count))?;
    if usize::from(*count) != components.len() || spectrum != [0, 63, 0] {
        return None;
    }
    let (selectors, _) = selectors.as_chunks::<2>();
    for (component, [id, tables]) in components.iter_mut().zip(selectors) {
        if component.id != *id {
            return None;
        }
        (component.dc, component.ac) = (usize::from(tables >> 4), usize::from(tables & 15));
    }
    Some(())
}

/// Entropy-coded data without stuffing, and where the `count` intervals between restarts are in it, each with its padding. `None`
/// where there are others, where it does not end with the end of the image, and where the padding would be more than the data.
pub(super) fn unstuffed(mut data: &[u8], count: usize) -> Option<(Vec<u8>, Vec<Range<usize>>)> {
    let padding = count.checked_mul(Bits::PADDING).filter(|&padding| padding <= data.len().max(Bits::PADDING))?;
    let mut out = Vec::with_capacity(data.len() + padding);
    let (mut intervals, mut start) = (Vec::new(), 0);
    loop {
        let (plain, rest) = data.split_at_checked(memchr(0xff, data)?)?;
        out.extend_from_slice(plain);
        let [0xff, marker, after @ ..] = rest else { return None };
        data = after;
        match marker {
            0 => out.push(0xff),
            0xd0..=0xd7 | 0xd9 => {
                out.resize(out.len() + Bits::PADDING, 0);
                intervals.push(start..out.len());
                start = out.len();
                if *marker == 0xd9 {
                    return (intervals.len() == count).then_some((out, intervals));
                }
                // Restarts are counted from 0 to 7, and there is an interval after each.
                if usize::from(marker - 0xd0) != (intervals.len() - 1) % 8 || intervals.len() >= count {
                    return None;
                }
            }
            _ => return None,
        }
    }
}
