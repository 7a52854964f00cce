//! Sound without a picture, as far as the first bytes tell.

/// Whether a file that begins so can only be sound. Containers that may hold both (MP4, Ogg, Matroska) are not among these.
pub(crate) fn is_audio(bytes: &[u8]) -> bool {
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    let at_eight = |magic: &[u8]| bytes.get(8..).is_some_and(|rest| rest.starts_with(magic));
    match bytes {
        // MPEG audio and AAC: eleven or twelve bits of synchronisation, then a version and a layer.
        [0xff, 0xf1 | 0xf2 | 0xf3 | 0xf9 | 0xfa | 0xfb | 0xe2 | 0xe3, ..] => true,
        _ if starts(b"ID3") || starts(b"fLaC") || starts(b"MThd") || starts(b"#!AMR") => true,
        _ if starts(b"RIFF") || starts(b"RF64") => at_eight(b"WAVE"),
        _ if starts(b"FORM") => at_eight(b"AIFF") || at_eight(b"AIFC"),
        _ => starts(b"MAC ") || starts(b"wvpk") || starts(b"OggS") && ogg_is_audio(bytes),
    }
}

/// Whether the first stream of an Ogg is sound. One with a picture begins with that.
fn ogg_is_audio(bytes: &[u8]) -> bool {
    let segments = bytes.get(26).copied().map_or(0, usize::from);
    let packet = bytes.get(27 + segments..).unwrap_or_default();
    [&b"\x01vorbis"[..], b"OpusHead", b"\x7fFLAC", b"Speex   "].iter().any(|magic| packet.starts_with(magic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_is_told_by_its_first_bytes() {
        let mut vorbis = b"OggS\0\x02".to_vec();
        vorbis.resize(26, 0);
        vorbis.extend(b"\x01\x1e\x01vorbis");
        let mut theora = vorbis[..28].to_vec();
        theora.extend(b"\x80theora");
        for sound in [b"ID3\x04", &b"\xff\xfb\x90\x64"[..], b"fLaC", b"RIFF\0\0\0\0WAVE", &vorbis] {
            assert!(is_audio(sound), "{sound:?}");
        }
        for other in [b"\xff\xd8\xff\xe0", &b"\xff\xfea\0b\0"[..], b"RIFF\0\0\0\0AVI ", b"", &theora] {
            assert!(!is_audio(other), "{other:?}");
        }
    }
}
