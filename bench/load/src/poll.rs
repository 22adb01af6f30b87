//! epoll, and the core that a thread is bound to.

use std::time::Duration;

pub struct Poll(i32);

impl Poll {
    pub fn new() -> Result<Poll, String> {
        // SAFETY: no pointer is passed; the result is checked.
        let descriptor = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if descriptor < 0 { Err(last_error("epoll_create1")) } else { Ok(Poll(descriptor)) }
    }

    /// Edge-triggered, both directions.
    pub fn add(&self, descriptor: i32, token: u64) -> Result<(), String> {
        let events = (libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLET) as u32;
        let mut event = libc::epoll_event { events, u64: token };
        // SAFETY: `event` lives through the call.
        let result = unsafe { libc::epoll_ctl(self.0, libc::EPOLL_CTL_ADD, descriptor, &mut event) };
        if result < 0 { Err(last_error("epoll_ctl")) } else { Ok(()) }
    }

    /// Waits to the nanosecond that the kernel grants, not to the millisecond of epoll_wait.
    pub fn wait<'a>(
        &self,
        events: &'a mut [libc::epoll_event],
        timeout: Duration,
    ) -> Result<&'a [libc::epoll_event], String> {
        let limit = libc::timespec {
            tv_sec: timeout.as_secs() as libc::time_t,
            tv_nsec: timeout.subsec_nanos() as libc::c_long,
        };
        // SAFETY: the kernel writes at most `events.len()` entries and reads `limit`, which lives through the call.
        let count = unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                self.0,
                events.as_mut_ptr(),
                events.len() as i32,
                &limit,
                std::ptr::null::<libc::sigset_t>(),
                0usize,
            )
        };
        if count < 0 { Err(last_error("epoll_pwait2")) } else { Ok(&events[..count as usize]) }
    }
}

pub fn pin(cpu: usize) -> Result<(), String> {
    // SAFETY: `set` is plain data, valid when zeroed, and lives through the call.
    let result = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set)
    };
    if result < 0 { Err(last_error("sched_setaffinity")) } else { Ok(()) }
}

fn last_error(call: &str) -> String {
    format!("{call}: {}", std::io::Error::last_os_error())
}
