#![allow(clippy::all, missing_docs)]
use rayon::prelude::*;
use std::time::Instant;
use tract_onnx::prelude::*;
fn cpu() -> f64 {
    let s = std::fs::read_to_string("/proc/self/stat").unwrap();
    let f: Vec<&str> = s.rsplit(')').next().unwrap().split_whitespace().collect();
    (f[11].parse::<f64>().unwrap() + f[12].parse::<f64>().unwrap()) / 100.0
}
fn main() -> TractResult<()> {
    let args: Vec<String> = std::env::args().collect();
    let side: usize = args[2].parse()?;
    let bytes = std::fs::read(&args[1])?;
    let base =
        onnx().with_ignore_value_info(true).model_for_proto_model(&onnx().proto_model_for_read(&mut &bytes[..])?)?;
    let dump = args.len() > 4;
    for b in args[3].split(',') {
        let b: usize = b.parse()?;
        let mut m = base.clone();
        m.set_input_fact(0, InferenceFact::dt_shape(u8::datum_type(), tvec!(b, side, side, 3)))?;
        let m = m.into_optimized()?;
        if dump {
            for n in m.nodes() {
                println!("{} | {} | {:?} | {}", n.op().name(), n.name, n.outputs[0].fact, n.op().info()?.join("; "));
            }
        }
        let r = m.into_runnable()?;
        let input = Tensor::from_shape(
            &[b, side, side, 3],
            &(0..b * side * side * 3).map(|i| ((i * 7919) % 251) as u8).collect::<Vec<_>>(),
        )?;
        let n = (64 / b).max(1);
        let one = |r: &Arc<TypedRunnableModel>| -> TractResult<()> {
            let mut s = r.spawn()?;
            for _ in 0..n {
                s.run(tvec!(input.clone().into()))?;
            }
            Ok(())
        };
        for mode in 0..2 {
            let mut best = f64::MAX;
            let mut bc = f64::MAX;
            for _ in 0..4 {
                let t = Instant::now();
                let c = cpu();
                let imgs = match mode {
                    0 => {
                        one(&r)?;
                        n * b
                    }
                    _ => {
                        (0..2).into_par_iter().try_for_each(|_| one(&r))?;
                        2 * n * b
                    }
                };
                best = best.min(t.elapsed().as_secs_f64() / imgs as f64);
                bc = bc.min((cpu() - c) / imgs as f64);
            }
            println!("batch {b} threads {}: {:.1} img/s wall, {:.2} ms cpu/img", mode + 1, 1.0 / best, bc * 1e3);
        }
    }
    Ok(())
}
