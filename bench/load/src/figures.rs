//! What a run came to.

pub struct Figures {
    pub seconds: f64,
    /// One per answered request, microseconds, unsorted.
    pub latencies_us: Vec<f32>,
    pub client_cpu_seconds: f64,
    pub target_cpu_seconds: Option<f64>,
}

impl Figures {
    pub fn json(mut self) -> String {
        self.latencies_us.sort_by(f32::total_cmp);
        let count = self.latencies_us.len();
        let at = |share: f64| self.latencies_us[(((count as f64) * share) as usize).min(count - 1)];
        let mut out = format!(
            "{{\"requests\":{count},\"seconds\":{:.4},\"requestsPerSecond\":{:.1},\"p50Us\":{:.1},\"p90Us\":{:.1},\"p99Us\":{:.1},\"p999Us\":{:.1},\"maxUs\":{:.1},\"clientCpuSeconds\":{:.2}",
            self.seconds,
            count as f64 / self.seconds,
            at(0.5),
            at(0.9),
            at(0.99),
            at(0.999),
            at(1.0),
            self.client_cpu_seconds,
        );
        if let Some(cpu) = self.target_cpu_seconds {
            out += &format!(",\"brokerCpuSeconds\":{cpu:.2},\"brokerCpuUsPerRequest\":{:.2}", cpu * 1e6 / count as f64);
        }
        out + "}"
    }
}

/// User and system time of a process with all its threads.
pub fn cpu_seconds(pid: u32) -> Result<f64, String> {
    let text =
        std::fs::read_to_string(format!("/proc/{pid}/stat")).map_err(|error| format!("process {pid}: {error}"))?;
    let after_name = text.rsplit(") ").next().unwrap_or_default();
    let field = |index: usize| after_name.split(' ').nth(index).and_then(|word| word.parse::<f64>().ok());
    match (field(11), field(12)) {
        (Some(user), Some(system)) => Ok((user + system) / 100.0),
        _ => Err(format!("process {pid}: its CPU time can't be read")),
    }
}
