//! How the pools start to serve, once, and how they are switched off and on.
//!
//! One thread reserves. A thread that allocates meanwhile goes to the fallback for that call, and no thread
//! waits. `serving` combines outcome and switch, so an allocation reads only that. If another thread forks
//! while the very first allocation is in start-up, the child bypasses the pools until it exits.

use core::ptr::{self, NonNull};

use super::Pools;
use super::route::Routes;
use crate::config::Config;
use crate::config::environment::{self, Settings};
use crate::fatal::invariant;
use crate::lifecycle::constructor;
use crate::lifecycle::registry;
use crate::lifecycle::thread;
use crate::memory::reservation;
use crate::memory::reservation::Reserved;
use crate::metadata::Metadata;
use crate::os;
use crate::os::asan;
use crate::stats::Reservation;
use crate::stats::recording::Recording;

/// The decisions of start-up before it reserves anything.
struct Settled {
    /// Whether the pools start switched off because valgrind runs the program.
    is_off_for_valgrind: bool,
    recording: Option<&'static Recording>,
    exit_output: Option<os::ExitOutput>,
}

impl Pools {
    /// Reserves the pools if no thread has yet, and gives this thread a place if it may have one.
    #[cold]
    pub(crate) fn prepare(&self, source: os::Source<'_>) {
        self.reserve(source);
        if !self.has_places {
            return;
        }
        if let Some(metadata) = self.metadata_cell.get().filter(|metadata| metadata.recording.is_none()) {
            // SAFETY: metadata with places is never unmapped.
            thread::bind(unsafe { &*ptr::from_ref(metadata) }, constructor::exit_hook);
        }
    }

    /// Reserves the pools if no thread has yet.
    pub(crate) fn reserve(&self, source: os::Source<'_>) {
        if self.serving.begin() {
            self.start(source);
        }
    }

    /// Switches the pools on or off for new blocks. Blocks that live in them stay there.
    pub(crate) fn set_enabled(&self, yes: bool) {
        self.serving.set_enabled(yes, || self.metadata_cell.pointer());
    }

    /// Reserves everything. Only the thread that won `begin` calls this.
    #[cold]
    #[inline(never)]
    fn start(&self, source: os::Source<'_>) {
        os::keeping_errno(|| self.start_once(source));
    }

    /// Settles the table, which the environment may change, and whether there is a recording.
    fn settle(&self, source: os::Source<'_>) -> Settled {
        if !self.has_places {
            return Settled { is_off_for_valgrind: false, recording: None, exit_output: None };
        }
        let settings = if self.config.env { self.read_environment(source) } else { None };
        let Settings { is_on, exit_output } = settings.unwrap_or_default();
        if exit_output.is_some() {
            constructor::watch_program_exit();
        }
        let is_off_for_valgrind = is_on.is_none() && os::is_under_valgrind();
        if is_on == Some(false) || is_off_for_valgrind {
            self.set_enabled(false);
        }
        // SAFETY: start-up, which alone sets it.
        let config = unsafe { self.config_in_force.get() };
        let recording = if config.record { self.start_recording(config, source) } else { None };
        Settled { is_off_for_valgrind, recording, exit_output }
    }

    /// Reads the environment and takes over the table that it says; `None` if it says nothing.
    ///
    /// A function of its own, as each step of start-up is, so that the steps do not add up their needs of
    /// stack. The first allocation of a process may come on a signal stack.
    #[cold]
    #[inline(never)]
    fn read_environment(&self, source: os::Source<'_>) -> Option<Settings> {
        let mut settings = None;
        // SAFETY: start-up, which runs once, and has published nothing yet.
        unsafe {
            self.config_in_force.set_with(|config| {
                settings = environment::read(config, source);
                if settings.is_none() {
                    *config = self.config;
                }
            });
        }
        let settings = settings?;
        // SAFETY: as above.
        unsafe {
            let config = self.config_in_force.get();
            // The plan is valid: `read` has checked the table.
            self.plan.set_with(|plan| _ = plan.fill(config));
            self.routes.set_with(|routes| *routes = Routes::new(self.plan()));
        }
        Some(settings)
    }

    /// Starts a recording, and removes all routes, which would lead past it.
    #[cold]
    #[inline(never)]
    fn start_recording(&self, config: &Config, source: os::Source<'_>) -> Option<&'static Recording> {
        let recording = Recording::new(config, source)?;
        // SAFETY: start-up, which runs once, and has published nothing yet.
        unsafe { self.routes.set_with(Routes::remove_all) };
        Some(recording)
    }

    fn start_once(&self, source: os::Source<'_>) {
        let settled = self.settle(source);
        let plan = self.plan();
        let metadata = Metadata::new(plan, self.has_places, source);
        let reservation = metadata.and_then(|_| reservation::reserve(plan, source));
        // Kept even without slots: threads still count their bypasses there.
        if let Some(metadata) = metadata {
            self.publish(metadata, reservation, &settled);
        }
        let base = reservation.map(os::Mapping::base);
        // SAFETY: just reserved; unmapped by `unmap` only.
        let reserved = base.map(|base| unsafe { Reserved::new(base, plan) });
        if let Some(reserved) = reserved {
            reserved.poison_slots();
            self.options.ask(reserved, self.memory_config());
        }
        let span = if settled.recording.is_some() { usize::MAX } else { plan.span };
        let base = base.map_or(ptr::null_mut(), NonNull::as_ptr);
        self.serving.finish(base, span, self.metadata_cell.pointer());
        // Last, because it takes long. Meanwhile, other threads already use the pools.
        if let Some(reserved) = reserved.filter(|_| self.memory_config().prefault) {
            self.options.populate(reserved);
        }
    }

    /// Completes the metadata, right after the slots were reserved or denied, and publishes it to the other
    /// threads.
    fn publish(&self, mut metadata: NonNull<Metadata>, reservation: Option<os::Mapping>, settled: &Settled) {
        // SAFETY: just made, and not shared yet.
        let new = unsafe { metadata.as_mut() };
        let outcome = match reservation {
            Some(reservation) => {
                new.set_reservation(reservation, self.plan());
                if settled.is_off_for_valgrind { Reservation::OffForValgrind } else { Reservation::Ready }
            }
            None => Reservation::Failed(reservation::limit_behind(self.plan())),
        };
        new.outcome = outcome.code();
        new.exit_output = settled.exit_output;
        // Without slots there is no recording: frees take their fast path to the fallback, so it would not
        // see them.
        new.recording = settled.recording.filter(|_| reservation.is_some());
        new.signature.complete();
        // SAFETY: from here on only read; unmapped by `unmap` only.
        unsafe { self.metadata_cell.publish(metadata) };
        if self.has_places {
            // SAFETY: never unmapped, and from here on only read.
            registry::register(unsafe { metadata.as_ref() });
        }
    }

    /// Gives slots and metadata back to the system.
    ///
    /// # Safety
    ///
    /// The pools are [those of a value](Pools::of_a_value), reserved out of this `source`. From now on, no
    /// thread uses a slot of them or calls anything here.
    pub(crate) unsafe fn unmap(&mut self, source: os::Source<'_>) {
        invariant!(!self.has_places, "what threads may come back to stays mapped");
        let metadata = self.metadata_cell.take_back();
        self.serving.close();
        // SAFETY: by contract no other thread is here, so what start-up published is this caller's alone. The
        // metadata describes both mappings and lies in one of them, so they are copied out before it goes.
        unsafe {
            let Some(metadata) = metadata else { return };
            let Metadata { reservation, mapping, .. } = *metadata.as_ref();
            if let Some(reservation) = reservation {
                asan::unpoison(reservation.base().as_ptr(), self.plan().span);
                os::unmap(reservation, source);
            }
            os::unmap(mapping, source);
        }
    }
}
