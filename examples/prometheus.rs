//! Serves the pools' metrics of a running program to Prometheus: `curl http://127.0.0.1:9184/metrics`.
//!
//! ```text
//! cargo run --release --features metrics --example prometheus              # for 60 s, on port 9184
//! cargo run --release --features metrics --example prometheus -- 5 9999    # for 5 s, on port 9999
//! ```

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use framepool::{Monitor, PoolAlloc};
use metrics_exporter_prometheus::PrometheusBuilder;

#[global_allocator]
static ALLOC: PoolAlloc = PoolAlloc::new();

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("prometheus: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let seconds: u64 = arguments.next().map_or(Ok(60), |seconds| seconds.parse())?;
    let port: u16 = arguments.next().map_or(Ok(9184), |port| port.parse())?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    PrometheusBuilder::new().with_http_listener(address).install()?;
    let _monitor = Monitor::of(&ALLOC).named("Example").every(Duration::from_secs(1)).start()?;
    println!("curl http://{address}/metrics   ({seconds} s)");

    // This makes about 30 frames a second, up to four of which live at once.
    let begun = Instant::now();
    let mut queue = std::collections::VecDeque::new();
    while begun.elapsed() < Duration::from_secs(seconds) {
        queue.push_back(vec![0x80_u8; 1280 * 720 * 3 / 2]);
        if queue.len() > 3 {
            queue.pop_front();
        }
        thread::sleep(Duration::from_millis(33));
    }
    Ok(())
}
