//! The parts that all bench targets share: the contestants, the workloads, and the states of `System`.

pub(crate) mod at_once;
pub(crate) mod contestants;
pub(crate) mod system;
pub(crate) mod workloads;

/// Reports on stderr if any run of several threads was disturbed on every try. The figures of such a run say
/// little.
pub(crate) fn tell_disturbed() {
    let disturbed = at_once::disturbed();
    if disturbed > 0 {
        eprintln!(
            "benches: the machine was too busy for {disturbed} runs of two threads at once: distrust what they read"
        );
    }
}
