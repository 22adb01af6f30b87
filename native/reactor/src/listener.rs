//! Listening sockets: binding (on the caller's thread, so that a port in use is an error there) and the counts that
//! bound what a listener accepts.

use crate::event::{Limits, ListenerOptions};
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;

/// Binds the first address of `host` that can be bound. Blocks while a name is looked up.
pub fn bind(host: &str, port: u16, backlog: i32) -> io::Result<TcpListener> {
    let mut refused = io::Error::new(io::ErrorKind::AddrNotAvailable, format!("{host} has no address"));
    for address in (host, port).to_socket_addrs()? {
        match bind_address(address, backlog) {
            Ok(listener) => return Ok(listener),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

fn bind_address(address: SocketAddr, backlog: i32) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if cfg!(unix) {
        socket.set_reuse_address(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    Ok(socket.into())
}

pub(crate) struct Listener {
    pub id: u32,
    /// None once it is closed; the entry lives on for the counts of its connections.
    pub socket: Option<mio::net::TcpListener>,
    pub options: Arc<ListenerOptions>,
    pub limits: Limits,
    pub connections: u32,
    per_ip: BTreeMap<IpAddr, u32>,
}

impl Listener {
    pub fn new(id: u32, socket: mio::net::TcpListener, options: ListenerOptions) -> Listener {
        let limits = options.limits;
        let options = Arc::new(options);
        Listener { id, socket: Some(socket), options, limits, connections: 0, per_ip: BTreeMap::new() }
    }

    /// Counts a connection in; false (and not counted) when a limit is reached. `all`: connections of all listeners.
    pub fn admit(&mut self, ip: IpAddr, all: u32) -> bool {
        let of_ip = self.per_ip.get(&ip).copied().unwrap_or(0);
        let Limits { of_all, of_listener, per_ip } = self.limits;
        if all >= of_all || self.connections >= of_listener || of_ip >= per_ip {
            return false;
        }
        self.connections += 1;
        self.per_ip.insert(ip, of_ip + 1);
        true
    }

    pub fn leave(&mut self, ip: IpAddr) {
        self.connections -= 1;
        match self.per_ip.get_mut(&ip) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(self.per_ip.remove(&ip)),
        }
    }
}
