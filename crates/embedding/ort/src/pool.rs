//! Sessions that share the work of a batch.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

use nodupe_core::{ImageBatch, InputSpec};
use nodupe_models::Manifest;
use ort::ep::ExecutionProviderDispatch;

use crate::runtime::Runtime;
use crate::session::{Graph, GraphError, Setup};

/// The most images that a session on the processor is given at once: more make it no faster, and small pieces keep all
/// cores busy to the end of a batch.
const MOST_IMAGES: usize = 8;
/// Bytes of activations that one session should keep to.
const ACTIVATIONS: usize = 256 << 20;
/// Activations that are alive at once, in images of floats: the first layers of a convolutional network have a quarter of
/// the pixels and 64 to 96 channels, and the input and the output of a layer are there together.
const ACTIVATIONS_AN_IMAGE: usize = 16;
/// Bytes of model files that all sessions should keep to: each has its own copy of the weights.
const WEIGHTS: usize = 512 << 20;

/// How the sessions of a model are set up.
#[derive(Clone)]
pub struct Plan {
    /// Number of sessions that run side by side.
    pub sessions: NonZeroUsize,
    /// Threads of each.
    pub threads: NonZeroUsize,
    /// Images that a session is given at once.
    pub images: NonZeroUsize,
    /// Whether it is given just so many every time, black ones in place of those that are missing: some providers look for
    /// the fastest kernels again for every new shape.
    pub fixed: bool,
    /// The execution provider that runs every node, or the session cannot be made; `None`: the processor.
    pub provider: Option<ExecutionProviderDispatch>,
}

impl Plan {
    /// On `threads` threads of the processor: as many sessions, one thread each, which need not wait for each other after
    /// every operator; fewer where the model is large. Batches of fewer images than sessions go to one more session, which
    /// has all threads.
    pub fn on_processor(threads: NonZeroUsize, model_bytes: usize, input: &InputSpec) -> Self {
        let sessions = at_least_one(WEIGHTS / model_bytes.max(1)).min(threads);
        Self {
            sessions,
            threads: at_least_one(threads.get() / sessions),
            images: at_least_one(images_within(ACTIVATIONS, input).min(MOST_IMAGES)),
            fixed: false,
            provider: None,
        }
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("sessions", &self.sessions)
            .field("threads", &self.threads)
            .field("images", &self.images)
            .field("fixed", &self.fixed)
            .field("provider", &self.provider.as_ref().map(ExecutionProviderDispatch::name))
            .finish()
    }
}

/// How many images have activations of about so many bytes.
pub fn images_within(bytes: usize, input: &InputSpec) -> usize {
    bytes / (input.bytes() * size_of::<f32>() * ACTIVATIONS_AN_IMAGE)
}

fn at_least_one(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).unwrap_or(NonZeroUsize::MIN)
}

/// The sessions of one model.
pub(crate) struct Pool {
    idle: Mutex<Vec<Graph>>,
    returned: Condvar,
    /// For batches that leave sessions without an image.
    wide: Option<Mutex<Graph>>,
    sessions: usize,
    images: usize,
    fixed: bool,
    dim: usize,
}

impl Pool {
    /// Makes the sessions and runs the first one once: a model whose rows are not what its manifest says is refused here.
    pub(crate) fn open(runtime: &Runtime, manifest: &Manifest, model: &[u8], plan: &Plan) -> Result<Self, GraphError> {
        let processor = Setup { threads: plan.threads.get(), ..Setup::default() };
        let mut first = Graph::load(runtime, manifest, model, &processor)?;
        // A graph may be made for single images.
        let single = matches!(first.axes().next(), Some((Some(1), _)));
        let images = if single { 1 } else { plan.images.get() };
        let mut setup = processor;
        if plan.provider.is_some() {
            let wanted = manifest.input.tensor.shape(images, manifest.input.width, manifest.input.height);
            let free = first.axes().zip(wanted).filter(|((size, name), _)| size.is_none() && !name.is_empty());
            setup.axes = free.map(|((_, name), wanted)| (name.to_owned(), wanted)).collect();
            setup.provider.clone_from(&plan.provider);
            first = Graph::load(runtime, manifest, model, &setup)?;
        }
        let mut pool = Self {
            idle: Mutex::default(),
            returned: Condvar::new(),
            wide: None,
            sessions: plan.sessions.get(),
            images,
            fixed: plan.fixed || single,
            dim: manifest.output.dim,
        };
        pool.try_out(&mut first, &manifest.input_spec())?;
        let threads = plan.threads.get() * pool.sessions;
        let load = |threads, spins| Graph::load(runtime, manifest, model, &Setup { threads, spins, ..setup.clone() });
        let (made, wide) = thread::scope(|scope| {
            let more = || load(plan.threads.get(), false);
            let made: Vec<_> =
                (1..pool.sessions).filter_map(|_| thread::Builder::new().spawn_scoped(scope, more).ok()).collect();
            let wide = (pool.sessions > 1).then(|| load(threads, true));
            (made.into_iter().filter_map(|thread| thread.join().ok()).collect::<Vec<_>>(), wide)
        });
        pool.wide = wide.transpose()?.map(Mutex::new);
        let mut graphs = vec![first];
        // Where the system gives fewer threads or less memory than was planned, fewer sessions serve.
        for graph in made {
            match graph {
                Ok(graph) => graphs.push(graph),
                Err(why) => tracing::debug!(?why, "one session fewer"),
            }
        }
        pool.sessions = graphs.len();
        pool.idle = Mutex::new(graphs);
        Ok(pool)
    }

    /// Images that all sessions together are given at once.
    pub(crate) fn images(&self) -> usize {
        self.images * self.sessions
    }

    /// A row of `dim` numbers an image.
    pub(crate) fn run(&self, batch: &ImageBatch<'_>) -> Result<Vec<f32>, GraphError> {
        let mut rows = vec![0.0; batch.len() * self.dim];
        if let Some(wide) = self.wide.as_ref().filter(|_| batch.len() < self.sessions && !batch.is_empty()) {
            for (piece, rows) in pieces(batch, self.images).zip(rows.chunks_mut(self.images * self.dim)) {
                self.run_on(&mut lock(wide), &piece?, rows)?;
            }
            return Ok(rows);
        }
        // The pieces follow from the number of images alone: which session takes which does not change a bit.
        let images = if self.fixed { self.images } else { batch.len().div_ceil(self.sessions).clamp(1, self.images) };
        let pieces = pieces(batch, images).zip(rows.chunks_mut(images * self.dim));
        let threads = batch.len().div_ceil(images).min(self.sessions);
        let pieces = Mutex::new(pieces);
        let failure = Mutex::new(None);
        let work = || {
            loop {
                // Not in the head of a loop, where the lock would be held while the piece is run.
                let next = lock(&pieces).next();
                let Some((piece, rows)) = next else { break };
                if let Err(why) = piece.and_then(|piece| self.run_piece(&piece, rows)) {
                    lock(&failure).get_or_insert(why);
                    break;
                }
            }
        };
        thread::scope(|scope| {
            for _ in 1..threads {
                // Without a thread the others do its share.
                if let Err(error) = thread::Builder::new().name("nodupe-embed".to_owned()).spawn_scoped(scope, work) {
                    tracing::debug!(%error, "one thread fewer");
                }
            }
            work();
        });
        match lock(&failure).take() {
            Some(why) => Err(why),
            None => Ok(rows),
        }
    }

    fn run_piece(&self, piece: &ImageBatch<'_>, rows: &mut [f32]) -> Result<(), GraphError> {
        let mut idle = lock(&self.idle);
        let mut graph = loop {
            match idle.pop() {
                Some(graph) => break graph,
                None => idle = self.returned.wait(idle).unwrap_or_else(PoisonError::into_inner),
            }
        };
        drop(idle);
        let outcome = self.run_on(&mut graph, piece, rows);
        lock(&self.idle).push(graph);
        self.returned.notify_one();
        outcome
    }

    fn run_on(&self, graph: &mut Graph, piece: &ImageBatch<'_>, rows: &mut [f32]) -> Result<(), GraphError> {
        if !self.fixed || piece.len() == self.images {
            return graph.run(piece, rows);
        }
        let mut pixels = piece.data().to_vec();
        pixels.resize(self.images * piece.image_bytes(), 0);
        let whole = ImageBatch::new(piece.width(), piece.height(), piece.channels(), &pixels)
            .map_err(|error| GraphError::Runtime(error.into()))?;
        let mut all = vec![0.0; self.images * self.dim];
        graph.run(&whole, &mut all)?;
        rows.copy_from_slice(&all[..rows.len()]);
        Ok(())
    }

    /// Runs two images of noise, or as many as it must be.
    fn try_out(&self, graph: &mut Graph, spec: &InputSpec) -> Result<(), GraphError> {
        let images = self.images.min(2);
        let mut state = 1_u32;
        let noise = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        });
        let pixels: Vec<u8> = noise.take(images * spec.bytes()).collect();
        let batch = ImageBatch::for_spec(spec, &pixels).map_err(|error| GraphError::Runtime(error.into()))?;
        let mut rows = vec![0.0; images * self.dim];
        self.run_on(graph, &batch, &mut rows)?;
        let finite = rows.iter().all(|number| number.is_finite());
        let zero = rows.chunks(self.dim).any(|row| row.iter().all(|number| *number == 0.0));
        if finite && !zero { Ok(()) } else { Err(graph.unusable("an image of noise gives no vector")) }
    }
}

/// The images of a batch, so many at a time.
fn pieces<'a>(batch: &ImageBatch<'a>, images: usize) -> impl Iterator<Item = Result<ImageBatch<'a>, GraphError>> {
    let (width, height, channels) = (batch.width(), batch.height(), batch.channels());
    let pieces = batch.data().chunks(images * batch.image_bytes());
    pieces.map(move |pixels| {
        ImageBatch::new(width, height, channels, pixels).map_err(|error| GraphError::Runtime(error.into()))
    })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
