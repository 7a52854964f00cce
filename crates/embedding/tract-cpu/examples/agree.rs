//! temporary
#![allow(clippy::all, clippy::pedantic)]
use nodupe_core::*;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let b = (nodupe_tract_cpu::REGISTRATION.create)(&Options::new().with_model(&a[1])).unwrap();
    println!("{b} {}", b.space());
    let px = std::fs::read(format!("{}.u8", a[2])).unwrap();
    let want: Vec<f32> = std::fs::read(format!("{}.f32", a[2]))
        .unwrap()
        .chunks(4)
        .map(|c| f32::from_le_bytes(c.try_into().unwrap()))
        .collect();
    let batch = ImageBatch::for_spec(b.input_spec(), &px).unwrap();
    let t = std::time::Instant::now();
    let e = b.embed(&batch).unwrap();
    println!("{} images, {:?}", batch.len(), t.elapsed());
    let mut cs = vec![];
    for i in 0..batch.len() {
        let Some(Row::F32(r)) = e.first_row(i) else {
            println!("{i} none");
            continue;
        };
        let w = &want[i * b.dim()..][..b.dim()];
        let n = |v: &[f32]| v.iter().map(|x| *x as f64 * *x as f64).sum::<f64>().sqrt();
        cs.push(r.iter().zip(w).map(|(x, y)| *x as f64 * *y as f64).sum::<f64>() / n(r) / n(w));
    }
    let min = cs.iter().copied().fold(f64::MAX, f64::min);
    println!("rows {} worst {min:.9} mean {:.9}", cs.len(), cs.iter().sum::<f64>() / cs.len() as f64);
}
