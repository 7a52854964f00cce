//! The first bytes of videos.

use std::path::Path;

use super::VideoFormat;

/// The kind of animation that a file is if it has several frames.
pub(super) fn animation(bytes: &[u8]) -> Option<VideoFormat> {
    let at_eight = |magic: &[u8]| bytes.get(8..).is_some_and(|rest| rest.starts_with(magic));
    Some(match bytes {
        _ if bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a") => VideoFormat::AnimatedGif,
        _ if bytes.starts_with(b"RIFF") && at_eight(b"WEBP") => VideoFormat::AnimatedWebP,
        _ if bytes.starts_with(b"\x89PNG\r\n\x1a\n") => VideoFormat::Apng,
        _ => return None,
    })
}

/// What the first bytes say.
pub(super) fn detect(bytes: &[u8]) -> Option<VideoFormat> {
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    let at_eight = |magic: &[u8]| bytes.get(8..).is_some_and(|rest| rest.starts_with(magic));
    Some(match bytes {
        [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => return iso(brand),
        [.., _] if is_quicktime(bytes) => VideoFormat::QuickTime,
        _ if starts(b"\x1aE\xdf\xa3") => {
            let head = bytes.get(..64).unwrap_or(bytes);
            let is_webm = head.windows(4).any(|word| word == b"webm");
            if is_webm { VideoFormat::WebM } else { VideoFormat::Matroska }
        }
        _ if starts(b"RIFF") && at_eight(b"AVI ") => VideoFormat::Avi,
        _ if starts(b"FLV\x01") => VideoFormat::Flv,
        _ if starts(b"\x30\x26\xb2\x75\x8e\x66\xcf\x11") => VideoFormat::Asf,
        _ if starts(b"OggS") => VideoFormat::Ogg,
        [0, 0, 1, 0xba, ..] => VideoFormat::MpegPs,
        // A sequence header, or the visual object sequence of MPEG-4.
        [0, 0, 1, 0xb3 | 0xb0, ..] => VideoFormat::MpegVideo,
        [0, 0, 0, 1, rest @ ..] | [0, 0, 1, rest @ ..] if annex_b(rest).is_some() => return annex_b(rest),
        _ if starts(b".RMF") => VideoFormat::Real,
        _ if starts(b"YUV4MPEG2 ") => VideoFormat::Y4m,
        _ if starts(b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01\x01\x02") => VideoFormat::Mxf,
        _ if starts(b"DKIF") => VideoFormat::Ivf,
        _ if starts(b"nut/multimedia container\0") => VideoFormat::Nut,
        _ if is_transport_stream(bytes, 0) => VideoFormat::MpegTs,
        _ => return None,
    })
}

/// ISO base media by its brand: HEIF, AVIF, JPEG XL and raw photographs are images.
fn iso(brand: &[u8]) -> Option<VideoFormat> {
    const IMAGES: [&[u8]; 13] = [
        b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"mif1", b"mif2", b"msf1",
        b"crx ",
    ];
    match brand.get(..4)? {
        b"qt  " => Some(VideoFormat::QuickTime),
        brand if IMAGES.contains(&brand) => None,
        _ => Some(VideoFormat::Mp4),
    }
}

/// Whether a file begins with an atom of `QuickTime`, as old files without `ftyp` do. Atoms whose names are words are small.
fn is_quicktime(bytes: &[u8]) -> bool {
    match bytes {
        [_, _, _, _, b'm', b'o', b'o', b'v', ..] | [_, _, _, _, b'm', b'd', b'a', b't', ..] => true,
        [0, _, _, _, name @ ..] => [&b"wide"[..], b"free", b"skip", b"pnot"].iter().any(|atom| name.starts_with(atom)),
        _ => false,
    }
}

/// H.264 or H.265 by the header of its first unit, which is of parameters or a delimiter.
fn annex_b(unit: &[u8]) -> Option<VideoFormat> {
    match unit {
        [0x40 | 0x42 | 0x46, 1, ..] => Some(VideoFormat::Hevc),
        [0x67 | 0x27 | 0x47 | 0x09, ..] => Some(VideoFormat::H264),
        _ => None,
    }
}

/// Whether packets of some length begin at `start`, as far as `bytes` go: three of them, or all that there are if those are two.
fn is_transport_stream(bytes: &[u8], start: usize) -> bool {
    // M2TS has four bytes of time before each.
    [(188, 0), (192, 4), (204, 0)].into_iter().any(|(length, before)| {
        let mut packets = bytes.iter().skip(start + before).step_by(length).take(3);
        bytes.len() > start + before + length && packets.all(|byte| *byte == 0x47)
    })
}

/// What the extension says, of a file that begins with what could be it.
pub(super) fn by_extension(bytes: &[u8], name: &Path) -> Option<VideoFormat> {
    let extension = name.extension()?.to_str()?.to_ascii_lowercase();
    match extension.as_str() {
        // Many a text has this extension: packets have to be found.
        "ts" | "mts" | "m2ts" | "m2t" | "tp" | "trp" => {
            (1..512).any(|start| is_transport_stream(bytes, start)).then_some(VideoFormat::MpegTs)
        }
        _ if !bytes.contains(&0) => None,
        "dv" | "dif" => Some(VideoFormat::Dv),
        "mpg" | "mpeg" | "vob" | "m2p" => Some(VideoFormat::MpegPs),
        "m1v" | "m2v" | "mpv" => Some(VideoFormat::MpegVideo),
        "h264" | "264" | "avc" => Some(VideoFormat::H264),
        "h265" | "265" | "hevc" => Some(VideoFormat::Hevc),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8], name: &str) -> Option<VideoFormat> {
        VideoFormat::of_bytes(bytes, name)
    }

    /// Packets of `length` bytes whose first bytes come after `before` others.
    fn packets(length: usize, before: usize) -> Vec<u8> {
        let mut bytes = vec![0; length * 6];
        bytes.iter_mut().skip(before).step_by(length).for_each(|byte| *byte = 0x47);
        bytes
    }

    #[test]
    fn the_first_bytes_tell_what_a_video_is() {
        use VideoFormat::*;
        for (bytes, format) in [
            (&b"\0\0\0\x20ftypisom\0\0\x02\0"[..], Mp4),
            (b"\0\0\0\x20ftyp3gp5\0\0\x02\0", Mp4),
            (b"\0\0\0\x14ftypqt  \0\0\x02\0", QuickTime),
            (b"\0\0\x02\x14moov\0\0\0\x6cmvhd", QuickTime),
            (b"\0\0\0\x01mdat\0\0\0\x01", QuickTime),
            (b"\0\0\0\x08wide\0\0\0\x01mdat", QuickTime),
            (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\xf2\x81\x04B\xf3\x81\x08B\x82\x84webm", WebM),
            (b"\x1aE\xdf\xa3\xa3B\x86\x81\x01B\xf7\x81\x01B\xf2\x81\x04B\xf3\x81\x08B\x82\x88matroska", Matroska),
            (b"RIFF\0\0\0\0AVI LIST", Avi),
            (b"FLV\x01\x05", Flv),
            (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9", Asf),
            (b"OggS\0\x02", Ogg),
            (b"\0\0\x01\xba\x44", MpegPs),
            (b"\0\0\x01\xb3\x14", MpegVideo),
            (b"\0\0\0\x01\x67\x42", H264),
            (b"\0\0\0\x01\x40\x01", Hevc),
            (b".RMF\0\0\0\x12", Real),
            (b"YUV4MPEG2 W160 H120", Y4m),
            (b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01\x01\x02\x04\0", Mxf),
            (b"DKIF\0\0\x20\0VP90", Ivf),
            (&packets(188, 0), MpegTs),
            (&packets(192, 4), MpegTs),
            (&packets(204, 0), MpegTs),
        ] {
            assert_eq!(of(bytes, "a"), Some(format), "{bytes:?}");
            assert_eq!(of(bytes, "a.jpg"), Some(format), "whatever it is called");
        }
    }

    #[test]
    fn images_texts_and_sound_are_no_videos() {
        for bytes in [
            &b""[..],
            b"\0\0\0\x1cftypavif\0\0\0\0",
            b"\0\0\0\x1cftypheic\0\0\0\0",
            b"\0\0\0\x1cftypmif1\0\0\0\0",
            b"\0\0\0\x18ftypcrx \0\0\0\x01",
            b"\xff\xd8\xff\xe0\0\x10JFIF",
            b"the free and the brave",
            b"RIFF\0\0\0\0WAVE",
            b"#EXTM3U\n",
            b"ffconcat version 1.0\n",
            b"\0\0\x01\0\x01\0\x20\x20",
        ] {
            assert_eq!(of(bytes, "a.mp4"), None, "{bytes:?}");
        }
    }

    #[test]
    fn the_extension_counts_where_there_are_no_magic_bytes() {
        let frame = [0x1f, 0x07, 0, 0x3f, 0x78];
        assert_eq!(of(&frame, "tape.DV"), Some(VideoFormat::Dv));
        assert_eq!(of(&frame, "tape.mp4"), None);
        assert_eq!(of(b"\0\0\0\0\0\0\x01\xba", "a.mpg"), Some(VideoFormat::MpegPs));
        assert_eq!(of(b"import { x } from 'y';\n".repeat(60).as_slice(), "code.ts"), None);
        assert_eq!(of(&packets(188, 77), "late.ts"), Some(VideoFormat::MpegTs), "it begins within a packet");
        assert_eq!(of(b"notes about tapes", "tape.dv"), None);
    }
}
