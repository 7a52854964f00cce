//! Files on the web, resumable: what has come stays until the whole file is there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use ureq::config::RedirectAuthHeaders;
use ureq::http::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, HeaderName, IF_RANGE, LAST_MODIFIED, RANGE,
};
use ureq::{Agent, Body, http::Response};

use super::FetchError;
use super::Patience;
use super::progress::FetchProgress;
use crate::digest::Digest;
use crate::install::FileLock;
use crate::model::Model;

/// How many redirects are followed: the hub needs two.
const MAX_REDIRECTS: u32 = 8;

/// A file on the web.
#[derive(Clone, Copy)]
pub(crate) struct Remote<'a> {
    pub(crate) url: &'a str,
    /// Sent to the host of `url` alone, and only there where it redirects.
    pub(crate) token: Option<&'a str>,
    /// What it is called in what people read.
    pub(crate) what: &'a str,
    /// Which file is meant: what has come of it is kept under this name.
    pub(crate) digest: Digest,
    /// Its length, where that is known.
    pub(crate) bytes: Option<u64>,
}

/// Fetches `remote` to the file `to`, going on from what is in the folder `partial`.
pub(crate) fn download(
    remote: &Remote<'_>,
    to: &Path,
    partial: &Path,
    patience: &Patience,
    progress: &dyn FetchProgress,
) -> Result<(), FetchError> {
    let Some(mut part) = Part::open(partial, remote.digest, progress)? else {
        return Err(FetchError::Cancelled);
    };
    let agent = agent(remote.url, patience);
    let mut attempts = patience.attempts;
    loop {
        let before = part.len;
        match attempt(&agent, remote, &mut part, patience, progress) {
            Ok(()) => return part.give(to),
            // Whoever gives nothing new is not asked again.
            Err(error) if may_go_on(&error) && attempts > 1 && part.len > before => {
                attempts -= 1;
                tracing::info!(%error, bytes = part.len, "going on");
            }
            Err(error) => return Err(error),
        }
    }
}

fn may_go_on(error: &FetchError) -> bool {
    matches!(error, FetchError::Truncated { .. } | FetchError::Timeout { .. } | FetchError::Network { .. })
}

fn agent(url: &str, patience: &Patience) -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        // What began encrypted stays so, wherever it is redirected to.
        .https_only(url.starts_with("https:"))
        .max_redirects(MAX_REDIRECTS)
        .redirect_auth_headers(RedirectAuthHeaders::SameHost)
        .timeout_resolve(Some(patience.connect))
        .timeout_connect(Some(patience.connect))
        .timeout_recv_response(Some(patience.silence))
        .timeout_per_read(Some(patience.silence))
        // A connection that is used twice may have been closed meanwhile.
        .max_idle_connections(0)
        .user_agent(concat!("nodupe/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}

/// Asks once for what is missing, and writes what comes.
fn attempt(
    agent: &Agent,
    remote: &Remote<'_>,
    part: &mut Part,
    patience: &Patience,
    progress: &dyn FetchProgress,
) -> Result<(), FetchError> {
    if remote.bytes.is_some_and(|bytes| part.len > bytes) {
        part.restart()?;
    }
    if remote.bytes == Some(part.len) {
        progress.begin(remote.what, remote.bytes);
        progress.advance(part.len);
        return Ok(());
    }
    let mut response = ask(agent, remote, part, patience)?;
    if part.len > 0 && !goes_on(&response, part.len) {
        // It cannot go on, or has another file by now: from the beginning.
        part.restart()?;
        if response.status().as_u16() != 200 {
            response = ask(agent, remote, part, patience)?;
        }
    }
    let status = response.status().as_u16();
    if status != if part.len > 0 { 206 } else { 200 } {
        return Err(if matches!(status, 200..300 | 304) {
            answer(remote, format!("status {status}, which nobody asked for"))
        } else {
            FetchError::Status { url: shown(remote.url), status }
        });
    }
    let total = number(response.headers(), &CONTENT_LENGTH).map(|length| length.saturating_add(part.len));
    check_length(remote, total)?;
    if part.len == 0 {
        part.begin(response.headers())?;
    }
    progress.begin(remote.what, total.or(remote.bytes));
    progress.advance(part.len);
    receive(remote, response, total, part, patience, progress)
}

fn ask(agent: &Agent, remote: &Remote<'_>, part: &Part, patience: &Patience) -> Result<Response<Body>, FetchError> {
    let mut request = agent.get(remote.url);
    if let Some(token) = remote.token {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    if part.len > 0 {
        request = request.header(RANGE, format!("bytes={}-", part.len)).header(IF_RANGE, &part.validator);
    }
    request.call().map_err(|error| failure(remote, error, patience))
}

/// Whether a response is the rest of the file from `from` on.
fn goes_on(response: &Response<Body>, from: u64) -> bool {
    let range = response.headers().get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
    response.status().as_u16() == 206 && range.is_some_and(|range| range.starts_with(&format!("bytes {from}-")))
}

/// What a server says of the length beforehand.
fn check_length(remote: &Remote<'_>, total: Option<u64>) -> Result<(), FetchError> {
    let what = || remote.what.to_owned();
    match (total, remote.bytes) {
        (Some(total), Some(expected)) if total != expected => {
            Err(FetchError::WrongLength { what: what(), bytes: total, expected })
        }
        (Some(total), None) if total > Model::MAX_BYTES => {
            Err(FetchError::TooLarge { what: what(), max: Model::MAX_BYTES })
        }
        _ => Ok(()),
    }
}

fn receive(
    remote: &Remote<'_>,
    response: Response<Body>,
    total: Option<u64>,
    part: &mut Part,
    patience: &Patience,
    progress: &dyn FetchProgress,
) -> Result<(), FetchError> {
    let max = total.or(remote.bytes).unwrap_or(Model::MAX_BYTES);
    let mut reader = response.into_body().into_reader();
    let mut buffer = vec![0; 1 << 16];
    let truncated = |bytes| FetchError::Truncated { what: remote.what.to_owned(), bytes, expected: max };
    loop {
        if progress.is_cancelled() {
            return Err(FetchError::Cancelled);
        }
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => {
                if part.len + read as u64 > max {
                    part.restart()?;
                    return Err(FetchError::TooLarge { what: remote.what.to_owned(), max });
                }
                part.append(&buffer[..read])?;
                progress.advance(read as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                return Err(match failure(remote, ureq::Error::from(error), patience) {
                    FetchError::Network { source, .. } if total.is_some() => {
                        tracing::debug!(source, "broken off");
                        truncated(part.len)
                    }
                    error => error,
                });
            }
        }
    }
    let expected = total.or(remote.bytes);
    if expected.is_some_and(|expected| part.len < expected) { Err(truncated(part.len)) } else { Ok(()) }
}

fn failure(remote: &Remote<'_>, error: ureq::Error, patience: &Patience) -> FetchError {
    let url = || shown(remote.url);
    match error {
        ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
            FetchError::Timeout { what: url(), after: patience.connect }
        }
        ureq::Error::Timeout(_) => FetchError::Timeout { what: url(), after: patience.silence },
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => {
            FetchError::Timeout { what: url(), after: patience.silence }
        }
        ureq::Error::TooManyRedirects => answer(remote, format!("more than {MAX_REDIRECTS} redirects")),
        ureq::Error::RedirectFailed => answer(remote, "a redirect that cannot be followed".to_owned()),
        ureq::Error::RequireHttpsOnly(_) => answer(remote, "a redirect to where nothing is encrypted".to_owned()),
        ureq::Error::Protocol(error) => answer(remote, error.to_string()),
        ureq::Error::LargeResponseHeader(..) => answer(remote, "headers without end".to_owned()),
        error => FetchError::Network { url: url(), source: Box::new(error) },
    }
}

fn answer(remote: &Remote<'_>, detail: String) -> FetchError {
    FetchError::Answer { url: shown(remote.url), detail }
}

/// An address without the name and password, and without the query, which may be a signature.
fn shown(url: &str) -> String {
    let url = url.split_once(['?', '#']).map_or(url, |(before, _)| before);
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (host, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

/// What has come of a file: `<digest>.part`, and `<digest>.from`, by which the server knows whether it still has that one.
struct Part {
    path: PathBuf,
    from: PathBuf,
    file: File,
    len: u64,
    /// An `ETag` or a date; without one it cannot be gone on.
    validator: String,
    _lock: FileLock,
}

impl Part {
    /// Waits until nobody else fetches the same file; `None` where it was cancelled meanwhile.
    fn open(folder: &Path, digest: Digest, progress: &dyn FetchProgress) -> Result<Option<Self>, FetchError> {
        fs::create_dir_all(folder).map_err(FetchError::io(folder))?;
        let beside = |extension: &str| folder.join(format!("{}.{extension}", digest.to_string().replace(':', "-")));
        let Some(lock) = FileLock::acquire(&beside("lock"), &|| progress.is_cancelled())? else {
            return Ok(None);
        };
        let (path, from) = (beside("part"), beside("from"));
        let options = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let mut file = options.map_err(FetchError::io(&path))?;
        let len = file.seek(SeekFrom::End(0)).map_err(FetchError::io(&path))?;
        let validator = fs::read_to_string(&from).unwrap_or_default();
        let mut part = Self { path, from, file, len, validator, _lock: lock };
        if part.validator.is_empty() {
            part.restart()?;
        }
        Ok(Some(part))
    }

    fn restart(&mut self) -> Result<(), FetchError> {
        self.file.set_len(0).map_err(FetchError::io(&self.path))?;
        self.file.seek(SeekFrom::Start(0)).map_err(FetchError::io(&self.path))?;
        self.len = 0;
        self.validator.clear();
        Ok(())
    }

    /// Notes by what the server knows the file. A weak `ETag` says nothing about its bytes.
    fn begin(&mut self, headers: &HeaderMap) -> Result<(), FetchError> {
        let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let etag = text(&ETAG).filter(|etag| etag.starts_with('"'));
        etag.or_else(|| text(&LAST_MODIFIED)).unwrap_or_default().clone_into(&mut self.validator);
        fs::write(&self.from, &self.validator).map_err(FetchError::io(&self.from))
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), FetchError> {
        self.file.write_all(bytes).map_err(FetchError::io(&self.path))?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Moves the whole file away. Another that waits for the lock begins anew.
    fn give(self, to: &Path) -> Result<(), FetchError> {
        let Self { path, from, file, _lock, .. } = self;
        drop(file);
        match fs::rename(&path, to) {
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                fs::copy(&path, to).map_err(FetchError::io(to))?;
                fs::remove_file(&path).map_err(FetchError::io(&path))?;
            }
            moved => moved.map_err(FetchError::io(to))?,
        }
        let _ = fs::remove_file(from);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn addresses_are_shown_without_secrets() {
        assert_eq!(shown("https://me:secret@example.org/a@b?token=1#x"), "https://example.org/a@b");
        assert_eq!(shown("http://example.org"), "http://example.org");
        assert_eq!(shown("nonsense?x"), "nonsense");
    }
}
