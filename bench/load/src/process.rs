//! What another process has used, from /proc.

use std::fs;

/// User and system time of a process with all its present threads, to the nanosecond; in milliseconds.
pub fn cpu_ms(pid: u32) -> Result<f64, String> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).map_err(|error| format!("process {pid}: {error}"))?;
    let mut sum = 0.0;
    for task in tasks.flatten() {
        // A thread may end between the listing and the reading.
        let Ok(text) = fs::read_to_string(task.path().join("schedstat")) else { continue };
        sum += text.split(' ').next().and_then(|word| word.parse::<f64>().ok()).unwrap_or(0.0);
    }
    Ok(sum / 1e6)
}

pub fn rss_anon_mb(pid: u32) -> Result<f64, String> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).map_err(|error| format!("process {pid}: {error}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kilobytes.map(|value| value / 1024.0).ok_or_else(|| format!("process {pid}: no RssAnon"))
}
