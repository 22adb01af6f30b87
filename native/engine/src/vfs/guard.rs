//! Keeps a page that a mapped file can't give (its disk is gone, somebody cut the file) from ending the process: a
//! store there raises SIGBUS, and the handler puts a page of plain memory in its place and marks the map as broken.
//!
//! Invariants: only addresses inside a guarded map are touched; every other SIGBUS goes to whoever handled it before.
//! The handler takes no lock and allocates nothing. Installed once, with the first map.

use std::io;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Maps that can be guarded at one time; whoever gets no place doesn't map.
const PLACES: usize = 512;

struct Place {
    taken: AtomicBool,
    start: AtomicUsize,
    /// 0: nothing is mapped here.
    end: AtomicUsize,
    broken: AtomicBool,
}

static PLACE: [Place; PLACES] = [const {
    Place {
        taken: AtomicBool::new(false),
        start: AtomicUsize::new(0),
        end: AtomicUsize::new(0),
        broken: AtomicBool::new(false),
    }
}; PLACES];

/// Who handled SIGBUS before.
static PREVIOUS: OnceLock<libc::sigaction> = OnceLock::new();

/// A range of addresses that is watched as long as this lives.
pub struct Guard(&'static Place);

impl Guard {
    /// None: too many maps, or the handler can't be installed.
    pub fn new(start: usize, length: usize) -> Option<Guard> {
        install().ok()?;
        let place = PLACE.iter().find(|place| !place.taken.swap(true, Ordering::AcqRel))?;
        place.broken.store(false, Ordering::Relaxed);
        place.start.store(start, Ordering::Relaxed);
        place.end.store(start + length, Ordering::Release);
        Some(Guard(place))
    }

    /// A page of it was lost.
    #[inline]
    pub fn is_broken(&self) -> bool {
        self.0.broken.load(Ordering::Relaxed)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.end.store(0, Ordering::Release);
        self.0.taken.store(false, Ordering::Release);
    }
}

fn install() -> io::Result<()> {
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    let installed = INSTALLED.get_or_init(|| {
        // SAFETY: sigaction is plain data, and all zeros are a value of it; both structs outlive the calls. What was
        // there before is kept before the handler that asks for it can run.
        unsafe {
            let mut previous: libc::sigaction = std::mem::zeroed();
            if libc::sigaction(libc::SIGBUS, ptr::null(), &raw mut previous) != 0 {
                return false;
            }
            PREVIOUS.get_or_init(|| previous);
            let mut ours: libc::sigaction = std::mem::zeroed();
            ours.sa_sigaction = on_bus_error as *const () as usize;
            ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigemptyset(&raw mut ours.sa_mask);
            libc::sigaction(libc::SIGBUS, &raw const ours, ptr::null_mut()) == 0
        }
    });
    if *installed { Ok(()) } else { Err(io::ErrorKind::Unsupported.into()) }
}

extern "C" fn on_bus_error(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the system hands over a valid siginfo of a SIGBUS.
    let address = unsafe { (*info).si_addr() } as usize;
    for place in &PLACE {
        let (end, start) = (place.end.load(Ordering::Acquire), place.start.load(Ordering::Relaxed));
        if address >= end || address < start {
            continue;
        }
        // SAFETY: the page lies inside a map of ours, which its owner unmaps only after its guard is gone; errno is put
        // back for the code that was interrupted.
        let replaced = unsafe {
            let errno = libc::__errno_location();
            let before = *errno;
            let page = libc::sysconf(libc::_SC_PAGESIZE).max(1) as usize;
            let replaced = libc::mmap(
                (address & !(page - 1)) as *mut libc::c_void,
                page,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED,
                -1,
                0,
            );
            *errno = before;
            replaced != libc::MAP_FAILED
        };
        if replaced {
            place.broken.store(true, Ordering::Release);
            return;
        }
    }
    pass_on(signal, info, context);
}

/// As if this handler were not there.
fn pass_on(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let previous = PREVIOUS.get();
    let handler = previous.map_or(libc::SIG_DFL, |previous| previous.sa_sigaction);
    // SAFETY: the address is that of a handler of the kind that its flags say. Without one the default action comes
    // when the instruction is tried again.
    unsafe {
        if handler == libc::SIG_DFL || handler == libc::SIG_IGN {
            libc::signal(signal, libc::SIG_DFL);
        } else if previous.is_some_and(|previous| previous.sa_flags & libc::SA_SIGINFO != 0) {
            let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
                std::mem::transmute(handler);
            handler(signal, info, context);
        } else {
            let handler: extern "C" fn(libc::c_int) = std::mem::transmute(handler);
            handler(signal);
        }
    }
}
