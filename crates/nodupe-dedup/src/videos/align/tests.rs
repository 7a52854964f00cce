use super::*;

/// Where all that is not alike has nothing to do with each other.
fn align(a: &Frames, b: &Frames, alike: &[Alike]) -> Vec<Aligned> {
    super::align(a, b, alike, &|_, _| true)
}

/// A video that was looked at each second; no frame looks like the next where it `changes`.
fn video(seconds: usize, changes: bool) -> Frames {
    Frames {
        times: (0..seconds).map(|time| [time as f64; 2]).collect(),
        is_steady: vec![!changes; seconds],
        period: 1.0,
        duration: seconds as f64,
    }
}

/// Frames that are the same where the second video shows at `to_b` what the first does, and somewhat alike a second before and after.
fn alike(a: &Frames, b: &Frames, to_b: impl Fn(f64) -> Option<f64>) -> Vec<Alike> {
    let mut alike = Vec::new();
    for (of_a, times) in (0..).zip(&a.times) {
        let Some(time) = to_b(times[0]) else { continue };
        for (of_b, other) in (0..).zip(&b.times) {
            let off = (other[0] - time).abs() as f32;
            if off < 1.6 {
                alike.push(Alike { a: of_a, b: of_b, closeness: 1.0 - 0.5 * off });
            }
        }
    }
    alike
}

fn is_near(found: [f64; 2], expected: [f64; 2]) -> bool {
    found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() <= 0.75)
}

#[test]
fn a_copy_is_aligned_from_end_to_end() {
    let (a, b) = (video(30, false), video(30, false));
    let found = align(&a, &b, &alike(&a, &b, Some));
    assert_eq!(found.len(), 1);
    assert!(is_near(found[0].a, [0.0, 30.0]) && is_near(found[0].b, [0.0, 30.0]), "{found:?}");
    assert_eq!(found[0].frames, 30);
    assert_eq!(align(&a, &b, &[]), []);
}

#[test]
fn a_clip_is_where_it_was_cut_from() {
    for changes in [false, true] {
        let (a, b) = (video(40, changes), video(10, changes));
        let found = align(&a, &b, &alike(&a, &b, |time| Some(time - 12.4)));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(is_near(found[0].a, [12.4, 22.4]) && is_near(found[0].b, [0.0, 10.0]), "{found:?}");
    }
}

#[test]
fn speed_is_found() {
    for speed in [1.1, 0.9, 25.0 / 24.0] {
        let (a, b) = (video(60, false), video((60.0 / speed) as usize, false));
        let found = align(&a, &b, &alike(&a, &b, |time| Some(time / speed)));
        assert_eq!(found.len(), 1, "{speed}: {found:?}");
        assert!(is_near(found[0].a, [0.0, 60.0]) && is_near(found[0].b, [0.0, 60.0 / speed]), "{speed}: {found:?}");
    }
}

#[test]
fn what_was_put_into_another_order_is_found_in_pieces() {
    let (a, b) = (video(40, false), video(40, false));
    let swapped = |time: f64| Some(if time < 20.0 { time + 20.0 } else { time - 20.0 });
    let found = align(&a, &b, &alike(&a, &b, swapped));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(is_near(found[0].a, [0.0, 20.0]) && is_near(found[0].b, [20.0, 40.0]), "{found:?}");
    assert!(is_near(found[1].a, [20.0, 40.0]) && is_near(found[1].b, [0.0, 20.0]), "{found:?}");
}

#[test]
fn an_intro_ends_where_the_videos_differ() {
    // What changes all the time differs as well: both were looked at at the same times.
    for changes in [false, true] {
        let (a, b) = (video(40, changes), video(40, changes));
        let found = align(&a, &b, &alike(&a, &b, |time| (time < 8.0).then_some(time)));
        assert!(found.len() == 1 && is_near(found[0].a, [0.0, 8.0]), "{found:?}");
    }
}

#[test]
fn two_frames_and_frames_in_no_order_say_nothing() {
    let (a, b) = (video(30, false), video(30, false));
    let two = [(3, 10), (4, 11)].map(|(a, b)| Alike { a, b, closeness: 0.9 });
    assert_eq!(align(&a, &b, &two), []);
    let shuffled = |time: f64| Some((time * 17.0 + 5.0) % 30.0);
    let found: usize = align(&a, &b, &alike(&a, &b, shuffled)).iter().map(|one| one.frames).sum();
    assert!(found < 15, "{found}");
    let reversed = |time: f64| Some(29.0 - time);
    let found: f64 = align(&a, &b, &alike(&a, &b, reversed)).iter().map(|one| one.a[1] - one.a[0]).sum();
    assert!(found < 15.0, "{found}");
}

#[test]
fn one_picture_for_long_is_aligned_with_itself() {
    let slide = Frames { times: vec![[0.0, 19.0]], is_steady: vec![true], period: 1.0, duration: 20.0 };
    let same = [Alike { a: 0, b: 0, closeness: 0.9 }];
    let found = align(&slide, &slide, &same);
    assert!(found.len() == 1 && is_near(found[0].a, [0.0, 20.0]), "{found:?}");
    let hardly = [Alike { closeness: 0.3, ..same[0] }];
    assert_eq!(align(&slide, &slide, &hardly), []);
}

#[test]
fn what_is_hardly_alike_does_not_end_a_segment() {
    let (a, b) = (video(40, false), video(40, false));
    let early = alike(&a, &b, |time| (time < 25.0).then_some(time));
    assert!(is_near(align(&a, &b, &early)[0].a, [0.0, 25.0]));
    let found = super::align(&a, &b, &early, &|_, _| false);
    assert!(found.len() == 1 && is_near(found[0].a, [0.0, 40.0]), "{found:?}");
}
