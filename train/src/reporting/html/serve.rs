//! Runs that go on, in a browser: a small server for one reader, on this machine unless told otherwise.

use super::data::PageData;
use super::{Run, page};
use anyhow::{Result, anyhow};
use std::fs::File;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;
use tiny_http::{Header, Method, Request, Response, Server};

/// Where to listen.
#[derive(Clone, Copy, Debug)]
pub struct Address {
    /// An address of this machine.
    pub host: IpAddr,
    /// 0: any that is free.
    pub port: u16,
}

/// A server of the report of these directories.
pub struct Served {
    server: Server,
    address: SocketAddr,
    dirs: Vec<PathBuf>,
}

/// What is answered: a status, the kind of the content, and the content.
type Answer = (u16, &'static str, Vec<u8>);

impl Served {
    /// Listens.
    ///
    /// # Errors
    /// If a directory is not that of a run, or the address cannot be listened at.
    pub fn new(dirs: Vec<PathBuf>, Address { host, port }: Address) -> Result<Self> {
        read(&dirs)?;
        let cannot =
            |error: &dyn std::fmt::Display| anyhow!("cannot listen at {host} on port {port}: {error}; --port 0 takes a free one");
        let server = Server::http((host, port)).map_err(|error| cannot(&error))?;
        let address = server.server_addr().to_ip().ok_or_else(|| cannot(&"it has no address"))?;
        Ok(Self { server, address, dirs })
    }

    /// What to open in a browser.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Answers until the program is ended.
    pub fn run(&self) {
        for request in self.server.incoming_requests() {
            let (status, kind, content) = self.answer(&request);
            let mut response = Response::from_data(content).with_status_code(status);
            let headers = [("Content-Type", kind), ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")];
            for header in headers.iter().filter_map(|(name, value)| Header::from_bytes(*name, *value).ok()) {
                response.add_header(header);
            }
            // A reader that is gone needs no answer.
            let _ = request.respond(response);
        }
    }

    fn answer(&self, request: &Request) -> Answer {
        if *request.method() != Method::Get {
            return text(405, "only GET is answered");
        }
        let host = request.headers().iter().find(|header| header.field.equiv("Host")).map(|header| header.value.as_str());
        if !self.is_meant(host) {
            return text(403, "this address is not served");
        }
        let (path, query) = request.url().split_once('?').unwrap_or((request.url(), ""));
        self.content(path, query).unwrap_or_else(|error| text(500, &format!("{error:#}")))
    }

    /// Whether a request was made to this address. Pages of others, which a browser was led here by, have another name for it.
    fn is_meant(&self, host: Option<&str>) -> bool {
        let name = host.map(|host| host.rsplit_once(':').map_or(host, |(name, _)| name));
        let is_local = matches!(name, Some("localhost" | "127.0.0.1" | "[::1]"));
        !self.address.ip().is_loopback() || is_local
    }

    fn content(&self, path: &str, query: &str) -> Result<Answer> {
        let runs = read(&self.dirs)?;
        let version = version(&self.dirs, &runs);
        match path {
            "/" => {
                let page = page(&runs, &PageData::served(&runs, version)?)?;
                Ok((200, "text/html; charset=utf-8", page.into_bytes()))
            }
            "/data.json" if query == format!("version={version}") => Ok((204, "application/json", Vec::new())),
            "/data.json" => Ok((200, "application/json", serde_json::to_vec(&PageData::served(&runs, version)?)?)),
            _ => match picture(&runs, path) {
                Some(path) => Ok((200, "image/png", std::fs::read(path)?)),
                None => Ok(text(404, "there is no such page")),
            },
        }
    }
}

fn text(status: u16, text: &str) -> Answer {
    (status, "text/plain; charset=utf-8", text.as_bytes().to_vec())
}

fn read(dirs: &[PathBuf]) -> Result<Vec<Run>> {
    dirs.iter().map(|dir| Run::read_as_it_grows(dir)).collect()
}

/// The picture `/pictures/RUN/NAME`, if it is one of a run's.
fn picture<'a>(runs: &'a [Run], path: &str) -> Option<&'a Path> {
    let (run, name) = path.strip_prefix("/pictures/")?.split_once('/')?;
    let run = runs.get(run.parse::<usize>().ok()?)?;
    run.pictures.iter().map(PathBuf::as_path).find(|path| path.file_name().is_some_and(|file| file == name))
}

/// A text that changes when any of the files does.
fn version(dirs: &[PathBuf], runs: &[Run]) -> String {
    let files = dirs.iter().zip(runs).flat_map(|(dir, run)| run.files(dir));
    let states = files.filter_map(|path| File::open(path).ok()?.metadata().ok()).map(|metadata| {
        let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        u128::from(metadata.len()).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(modified.map_or(0, |time| time.as_nanos()))
    });
    let mixed = states.fold(0u128, |sum, state| sum.wrapping_mul(31).wrapping_add(state));
    format!("{mixed:032x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_s_names_are_answered() -> Result<()> {
        let served = Served::new(Vec::new(), Address { host: [127, 0, 0, 1].into(), port: 0 })?;
        let url = served.url();
        assert!(url.starts_with("http://127.0.0.1:") && !url.contains(":0/"), "{url}");
        for host in ["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "localhost"] {
            assert!(served.is_meant(Some(host)), "{host}");
        }
        assert!(!served.is_meant(Some("example.org:8000")) && !served.is_meant(None));
        Ok(())
    }
}
