//! What all bench targets share: who is measured, what is measured, and what `System` means.

pub(crate) mod at_once;
pub(crate) mod contestants;
pub(crate) mod system;
pub(crate) mod workloads;

/// Tells on stderr if any run of several threads was disturbed on every try. What such a run read says little.
pub(crate) fn tell_disturbed() {
    let disturbed = at_once::disturbed();
    if disturbed > 0 {
        eprintln!(
            "benches: the machine was too busy for {disturbed} runs of two threads at once: distrust what they read"
        );
    }
}
