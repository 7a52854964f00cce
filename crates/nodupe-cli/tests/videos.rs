//! What the command finds among videos: copies, clips, shared parts, stills.
#![allow(clippy::unwrap_used, clippy::panic, reason = "what helps tests and benchmarks is one of them")]

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

mod pictures;

use pictures::{nodupe, picture};

/// H.264 in no time.
const H264: &[&str] = &["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"];

/// A folder of clips that ffmpeg makes.
struct Clips(tempfile::TempDir);

impl Clips {
    fn new() -> Option<Self> {
        let tools = nodupe::media::VideoTools::get();
        nodupe_conformance::provided(tools, "videos are made and read by it")?;
        Some(Self(tempfile::tempdir().unwrap()))
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn ffmpeg(&self, arguments: &[&str], name: &str) {
        let mut command = Command::new("ffmpeg");
        command.args(["-y", "-v", "error", "-nostdin"]).args(arguments).arg(name);
        let status = command.current_dir(self.0.path()).stdin(Stdio::null()).status().unwrap();
        assert!(status.success(), "ffmpeg {arguments:?} {name}");
    }

    /// Pictures of these seeds under a slow pan, four seconds each, with cuts between them.
    fn film(&self, seeds: &[u32], name: &str) {
        for seed in seeds {
            let path = self.at(&format!("{seed}.png"));
            if !path.exists() {
                let large = image::imageops::resize(&picture(*seed), 600, 400, image::imageops::FilterType::Triangle);
                large.save(path).unwrap();
            }
        }
        let input = |seed: &u32| ["-loop", "1", "-r", "25", "-t", "4", "-i", &format!("{seed}.png")].map(str::to_owned);
        let arguments: Vec<String> = seeds.iter().flat_map(input).collect();
        let pan = |place: usize| format!("[{place}]crop=320:180:x=100+t*20:y=100+t*{place},setsar=1[v{place}];");
        let all = (0..seeds.len()).map(|place| format!("[v{place}]")).collect::<Vec<_>>().concat();
        let filter = (0..seeds.len()).map(pan).collect::<Vec<_>>().concat() + &format!("{all}concat=n={}", seeds.len());
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.ffmpeg(&[&arguments, &["-filter_complex", &filter][..], H264].concat(), name);
    }

    /// What is left of a film after an edit.
    fn edit(&self, film: &str, arguments: &[&str], name: &str) {
        let encoder = if arguments.contains(&"-c:v") || arguments.contains(&"-c") { &[][..] } else { H264 };
        self.ffmpeg(&[&["-i", film], arguments, encoder].concat(), name);
    }

    fn scan(&self, arguments: &[&str]) -> Value {
        // The pictures that they are made of are not looked at here.
        for entry in fs::read_dir(self.0.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "png") {
                fs::remove_file(path).unwrap();
            }
        }
        let output = nodupe(self.0.path(), &[&["scan", "--json"], arguments, &["."]].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// What two videos have in common: the relation, the segments of the first and the second, the view.
#[derive(Debug, Clone)]
struct InCommon {
    relation: String,
    segments: Vec<[[f64; 2]; 2]>,
    view: String,
}

/// All that was found among videos, by their names in either order.
fn in_common(found: &Value) -> HashMap<(String, String), InCommon> {
    let name = |path: &Value| Path::new(path.as_str().unwrap()).file_name().unwrap().to_str().unwrap().to_owned();
    let times = |times: &Value| [0, 1].map(|end| times[end].as_f64().unwrap());
    let mut all = HashMap::new();
    for pair in found["videos"].as_array().unwrap() {
        let (a, b) = (name(&pair["a"]), name(&pair["b"]));
        let segments: Vec<[[f64; 2]; 2]> = pair["segments"]
            .as_array()
            .unwrap()
            .iter()
            .map(|segment| [times(&segment["a"]), times(&segment["b"])])
            .collect();
        let relation = pair["relation"].as_str().unwrap();
        let reversed = match relation {
            "a-is-clip-of-b" => "b-is-clip-of-a",
            "b-is-clip-of-a" => "a-is-clip-of-b",
            same => same,
        };
        let view = pair["view"].as_str().unwrap().to_owned();
        let turned = segments.iter().map(|[a, b]| [*b, *a]).collect();
        all.insert(
            (b.clone(), a.clone()),
            InCommon { relation: reversed.into(), segments: turned, view: view.clone() },
        );
        all.insert((a, b), InCommon { relation: relation.into(), segments, view });
    }
    all
}

/// The names of the files of each group, in order.
fn groups(found: &Value) -> Vec<Vec<String>> {
    let name = |path: &Value| path.as_str().unwrap().trim_start_matches("./").to_owned();
    let of = |group: &Value| group["paths"].as_array().unwrap().iter().map(name).collect();
    found["groups"].as_array().unwrap().iter().map(of).collect()
}

/// What is done to a film, and what it then has in common with it.
#[derive(Clone, Copy)]
struct Edit<'a> {
    name: &'a str,
    /// For ffmpeg.
    arguments: &'a [&'a str],
    relation: &'a str,
    /// Of the film, and of what is made of it.
    times: ([f64; 2], [f64; 2]),
    view: &'a str,
}

fn is_near(found: [f64; 2], expected: [f64; 2]) -> bool {
    found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() <= 1.0)
}

#[test]
fn edits_are_found_and_strangers_are_not() {
    let Some(clips) = Clips::new() else { return };
    clips.film(&[1, 2, 3, 4], "film.mp4");
    clips.film(&[5, 6, 7], "other.mp4");
    clips.film(&[8, 9], "intro.mp4");
    clips.film(&[10, 11, 12, 13], "stranger.mp4");
    let all = ([0.0, 16.0], [0.0, 16.0]);
    let edit = |name, arguments, relation, times, view| Edit { name, arguments, relation, times, view };
    let copy = |name, arguments| edit(name, arguments, "copy", all, "identity");
    let edits: Vec<Edit<'_>> = vec![
        copy("h264.mp4", &["-crf", "40"]),
        copy("h265.mkv", &["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none"]),
        copy("vp9.webm", &["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "100k"]),
        copy("small.avi", &["-vf", "scale=160:90", "-r", "12", "-c:v", "mpeg4"]),
        copy("letterbox.mp4", &["-vf", "pad=320:240:0:30"]),
        copy("pillarbox.mp4", &["-vf", "pad=400:180:40:0"]),
        copy("logo.mp4", &["-vf", "drawbox=x=10:y=10:w=16:h=10:color=gray:t=fill,eq=brightness=0.05"]),
        edit("trim.mp4", &["-ss", "5.3", "-t", "6.4"], "b-is-clip-of-a", ([5.3, 11.7], [0.0, 6.4]), "identity"),
        edit("mirror.mp4", &["-vf", "hflip"], "copy", all, "flip-horizontal"),
        edit("turned.mp4", &["-vf", "transpose=1"], "copy", all, "rotate-90"),
        edit("fast.mp4", &["-vf", "setpts=PTS/1.1"], "copy", ([0.0, 16.0], [0.0, 14.5]), "identity"),
    ];
    for edit in &edits {
        clips.edit("film.mp4", edit.arguments, edit.name);
    }
    // A recorder that was held upright: the pixels are as they were, and the file says how to turn them.
    clips.edit("turned.mp4", &["-c", "copy", "-metadata:s:v", "rotate=90"], "said.mp4");
    let joined = |first: &str, second: &str, name: &str| {
        clips.ffmpeg(&[&["-i", first, "-i", second, "-filter_complex", "concat=n=2"][..], H264].concat(), name);
    };
    joined("intro.mp4", "film.mp4", "introduced.mp4");
    joined("film.mp4", "other.mp4", "joined.mp4");
    joined("intro.mp4", "stranger.mp4", "stranger-introduced.mp4");
    let found = clips.scan(&["--videos-only", "--effort", "fast"]);
    let common = in_common(&found);
    let get = |a: &str, b: &str| common.get(&(a.to_owned(), b.to_owned())).cloned();

    for Edit { name, relation, times: (of_film, of_edit), view, .. } in edits.iter().copied() {
        let Some(found) = get("film.mp4", name) else { panic!("{name} is not found") };
        assert_eq!((found.relation.as_str(), found.segments.len()), (relation, 1), "{name}: {found:?}");
        let [a, b] = found.segments[0];
        assert!(is_near(a, of_film) && is_near(b, of_edit), "{name}: {found:?}");
        let is_turn = |view: &str| view.starts_with("rotate");
        assert!(found.view == view || is_turn(&found.view) && is_turn(view), "{name}: {found:?}");
    }
    let introduced = get("film.mp4", "introduced.mp4").unwrap();
    assert!(is_near(introduced.segments[0][1], [8.0, 24.0]), "{introduced:?}");
    // What the file says of how it was held is heeded.
    assert_eq!(get("film.mp4", "said.mp4").map(|found| found.relation).as_deref(), Some("copy"));
    let joined_to = get("other.mp4", "joined.mp4").unwrap();
    assert_eq!(joined_to.relation, "a-is-clip-of-b");
    assert!(is_near(joined_to.segments[0][1], [16.0, 28.0]), "{joined_to:?}");
    // An intro that two have in common makes no duplicates of them.
    let introduced = get("introduced.mp4", "stranger-introduced.mp4").unwrap();
    assert_eq!(introduced.relation, "shares-part");
    assert!(is_near(introduced.segments[0][0], [0.0, 8.0]), "{introduced:?}");
    for (one, other) in [("film.mp4", "stranger.mp4"), ("film.mp4", "other.mp4"), ("other.mp4", "intro.mp4")] {
        assert!(get(one, other).is_none(), "{one} {other}: {:?}", get(one, other));
    }

    let groups = groups(&found);
    let of_film = groups.iter().find(|group| group.contains(&"film.mp4".to_owned())).unwrap();
    assert!(edits.iter().all(|edit| of_film.contains(&edit.name.to_owned())), "{of_film:?}");
    assert!(!of_film.iter().any(|name| ["other.mp4", "stranger.mp4"].contains(&name.as_str())), "{of_film:?}");
    assert_eq!(found["stats"]["videos"], 19);
}

#[test]
fn crops_are_found_by_keypoints() {
    let Some(clips) = Clips::new() else { return };
    for (name, start) in [("film.mp4", "start_x=-0.74:start_y=0.11"), ("stranger.mp4", "start_x=-1.25:start_y=0.02")] {
        let still = format!("mandelbrot=s=960x540:r=25:{start}:start_scale=0.1:end_scale=0.1");
        let scene = format!("{still},trim=duration=12,crop=480:270:x=20*t:y=10*t");
        clips.ffmpeg(&[&["-f", "lavfi", "-i", &scene][..], H264].concat(), name);
    }
    clips.edit("film.mp4", &["-vf", "crop=iw*0.76:ih*0.76,scale=480:270"], "crop.mp4");
    let of =
        |arguments: &[&str]| in_common(&clips.scan(arguments)).get(&("film.mp4".into(), "crop.mp4".into())).cloned();
    assert!(of(&["--effort", "fast"]).is_none(), "a hash does not find it");
    let found = of(&[]).unwrap();
    assert_eq!(found.relation, "copy");
    assert!(is_near(found.segments[0][0], [0.0, 12.0]), "{found:?}");
    let found = clips.scan(&[]);
    assert_eq!(groups(&found), [["crop.mp4", "film.mp4"]]);
}

#[test]
fn images_and_videos_are_looked_at_together_or_apart() {
    let Some(clips) = Clips::new() else { return };
    clips.film(&[1, 2], "film.mp4");
    clips.edit("film.mp4", &["-vf", "scale=240:-2", "-crf", "35"], "copy.mkv");
    clips.edit("film.mp4", &["-vf", "fps=5,scale=160:-2", "-c:v", "gif"], "moving.gif");
    clips.ffmpeg(&["-ss", "5", "-i", "film.mp4", "-frames:v", "1"], "still.jpg");
    fs::write(clips.at("sound.mp4"), b"").unwrap();
    fs::write(clips.at("notes.txt"), b"nothing to see").unwrap();

    let found = clips.scan(&[]);
    assert_eq!(groups(&found), [["copy.mkv", "film.mp4", "moving.gif"]]);
    assert_eq!((&found["stats"]["images"], &found["stats"]["videos"]), (&1.into(), &3.into()));
    let stills = found["stills"].as_array().unwrap();
    let still = stills.iter().find(|still| still["video"] == "./film.mp4").unwrap();
    assert_eq!(still["image"], "./still.jpg");
    assert!((still["time"].as_f64().unwrap() - 5.0).abs() <= 1.0, "{still}");
    let film = &found["groups"][0]["files"][1];
    assert_eq!((&film["format"], &film["video"]["codec"]), (&"mp4".into(), &"h264".into()));
    assert!((film["video"]["duration"].as_f64().unwrap() - 8.0).abs() < 0.1, "{film}");
    let link = &found["groups"][0]["links"][0];
    assert_eq!((&link["evidence"], &link["frames"]["relation"]), (&"frames".into(), &"copy".into()));

    let left_out = |found: &Value| {
        let skipped = found["skipped"].as_array().unwrap().iter();
        let paths = skipped.filter(|file| file["error"] == "left-out").map(|file| file["path"].as_str().unwrap());
        paths.map(str::to_owned).collect::<Vec<_>>()
    };
    let images = clips.scan(&["--images-only"]);
    assert_eq!((&images["stats"]["images"], &images["stats"]["videos"]), (&2.into(), &0.into()));
    assert_eq!(left_out(&images), ["./copy.mkv", "./film.mp4"]);
    let videos = clips.scan(&["--videos-only"]);
    assert_eq!((&videos["stats"]["images"], &videos["stats"]["videos"]), (&0.into(), &3.into()));
    assert_eq!(left_out(&videos), ["./notes.txt", "./sound.mp4", "./still.jpg"]);

    let text = nodupe(clips.0.path(), &["scan", "."]).stdout;
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("copy of") && text.contains("0:00-0:08 is its 0:00-0:08"), "{text}");
    assert!(text.contains("./still.jpg is ./film.mp4 at 0:05"), "{text}");
    assert!(text.contains("among 1 image and 3 videos"), "{text}");
}

#[test]
fn the_longer_video_is_the_one_to_keep() {
    let Some(clips) = Clips::new() else { return };
    clips.film(&[1, 2], "film.mp4");
    clips.edit("film.mp4", &["-ss", "1", "-t", "6", "-vf", "scale=640:-2"], "large-clip.mp4");
    let found = clips.scan(&[]);
    let keep = &found["groups"][0]["keep"];
    assert_eq!((&keep["file"], &keep["over"][0]["rule"]), (&0.into(), &"longest".into()), "{keep}");
}

#[test]
fn every_broken_video_has_its_reason_and_the_others_are_found() {
    let Some(clips) = Clips::new() else { return };
    clips.film(&[1, 2, 3], "film.mkv");
    clips.edit("film.mkv", &["-crf", "35"], "copy with spaces.mkv");
    let film = fs::read(clips.at("film.mkv")).unwrap();
    fs::write(clips.at("cut.mkv"), &film[..film.len() / 2]).unwrap();
    fs::write(clips.at("head.mkv"), &film[..60]).unwrap();
    fs::write(clips.at("empty.mp4"), b"").unwrap();
    clips.ffmpeg(&["-f", "lavfi", "-i", "sine=d=2", "-c:a", "aac"], "sound.mp4");
    clips.ffmpeg(&["-f", "lavfi", "-i", "color=black:s=160x120:d=3"], "black.mp4");
    let found = clips.scan(&[]);
    assert_eq!(groups(&found)[0].iter().filter(|name| !name.starts_with("cut")).count(), 2, "{}", found["groups"]);
    let reason = |name: &str| {
        let skipped = found["skipped"].as_array().unwrap().iter();
        let of =
            skipped.filter(|file| file["path"].as_str().unwrap().ends_with(name)).map(|file| file["error"].clone());
        of.reduce(|_, last| last).unwrap_or_default()
    };
    assert_eq!(reason("sound.mp4"), "audio-only");
    assert_eq!(reason("black.mp4"), "undescribable");
    assert_eq!(reason("head.mkv"), "decode-video");
    assert_eq!(reason("empty.mp4"), "unsupported-format");
}

#[test]
fn without_ffmpeg_videos_are_passed_over_with_that_reason() {
    let Some(clips) = Clips::new() else { return };
    clips.film(&[1], "film.mp4");
    clips.edit("film.mp4", &["-vf", "fps=5", "-c:v", "gif"], "moving.gif");
    let mut command = pictures::command(clips.0.path(), &["scan", "--json", "--videos-only", "."]);
    let output = command.env("PATH", clips.0.path()).env("NODUPE_FFMPEG", "").output().unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let film = found["skipped"].as_array().unwrap().iter().find(|file| file["path"] == "./film.mp4").unwrap();
    assert_eq!(film["error"], "no-video-tools");
    assert_eq!(found["stats"]["videos"], 1, "animations need none");
}

#[cfg(target_os = "linux")]
#[test]
fn an_interrupted_scan_leaves_no_process_behind() {
    let Some(clips) = Clips::new() else { return };
    let long = ["-f", "lavfi", "-i", "testsrc2=s=1280x720:r=30:d=60", "-c:v", "libx264", "-preset", "ultrafast"];
    clips.ffmpeg(&long, "long.mp4");
    let mut scan = pictures::command(clips.0.path(), &["scan", "--json", "--frame-rate", "30", "."]);
    let child = scan.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let path = clips.0.path().canonicalize().unwrap();
    let decoders = || {
        let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        let of_ours = processes.filter(|process| {
            let is_there = fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd == path);
            let is_decoder = fs::read(process.path().join("comm")).is_ok_and(|name| name.starts_with(b"ff"));
            is_there && is_decoder
        });
        of_ours.count()
    };
    let started = std::time::Instant::now();
    while decoders() == 0 {
        assert!(started.elapsed().as_secs() < 30, "no decoder was started");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let asked = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(asked.success());
    let stopped = std::time::Instant::now();
    let output = child.wait_with_output().unwrap();
    assert!(stopped.elapsed().as_secs() < 10, "it took {:?}", stopped.elapsed());
    assert_eq!(output.status.code(), Some(130));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["interrupted"], true);
    assert_eq!(decoders(), 0);
}
