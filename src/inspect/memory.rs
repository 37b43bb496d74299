//! Reading another process's memory as numbers: never as references into it, and never as a type for which some bytes
//! are not valid.

use core::mem::MaybeUninit;

use crate::inspect::error::Error;
use crate::metadata::LaneParts;
use crate::metadata::signature::Signature;
use crate::slots::class::CLASSES;
use crate::slots::lane::LANES;
use crate::slots::slot_map::SlotMap;
use crate::stats::counters::SharedCounters;
use crate::stats::level::Level;
use crate::stats::peak::Peak;
use crate::stats::recording::Recording;
use crate::thread::places::Places;
use crate::thread::state::ThreadState;

/// The memory of a process.
pub(super) trait Memory: Sync {
    /// Fills `bytes` with what is at this address.
    ///
    /// # Errors
    ///
    /// Not all of it is mapped, or the process has ended. `bytes` may have changed then.
    fn read(&self, address: u64, bytes: &mut [u8]) -> Result<(), Error>;
}

/// A type for which all bytes are valid.
///
/// # Safety
///
/// It consists of numbers, atomic numbers and raw pointers.
pub(super) unsafe trait Plain: Sized {}

// SAFETY: atomic numbers and raw pointers.
unsafe impl Plain for ThreadState {}
// SAFETY: atomic numbers.
unsafe impl Plain for SharedCounters {}
// SAFETY: atomic numbers.
unsafe impl Plain for [Peak; CLASSES] {}
// SAFETY: atomic numbers.
unsafe impl Plain for Places {}
// SAFETY: numbers, atomic numbers and a raw pointer.
unsafe impl Plain for [LaneParts; LANES] {}
// SAFETY: numbers and a raw pointer.
unsafe impl Plain for SlotMap {}
// SAFETY: numbers and an atomic number.
unsafe impl Plain for Signature {}
// SAFETY: numbers and atomic numbers.
unsafe impl Plain for Recording {}
// SAFETY: atomic numbers.
unsafe impl Plain for [Level; CLASSES] {}
// SAFETY: a number.
unsafe impl Plain for u64 {}
// SAFETY: a number.
unsafe impl Plain for usize {}
// SAFETY: a number.
unsafe impl Plain for u8 {}

/// Reads a value.
pub(super) fn read<T: Plain>(memory: &dyn Memory, address: u64) -> Result<Box<T>, Error> {
    let mut value = Box::<T>::new_uninit();
    read_into(memory, address, core::slice::from_mut(&mut *value))?;
    // SAFETY: all its bytes are written, and all bytes are valid.
    Ok(unsafe { value.assume_init() })
}

/// Reads `count` values side by side.
pub(super) fn read_slice<T: Plain>(memory: &dyn Memory, address: u64, count: usize) -> Result<Vec<T>, Error> {
    let mut values = Vec::with_capacity(count);
    read_into(memory, address, &mut values.spare_capacity_mut()[..count])?;
    // SAFETY: all bytes of that many values are written, and all bytes are valid.
    unsafe { values.set_len(count) };
    Ok(values)
}

fn read_into<T: Plain>(
    memory: &dyn Memory,
    address: u64,
    values: &mut [MaybeUninit<T>],
) -> Result<(), Error> {
    let (start, bytes) = (values.as_mut_ptr().cast::<u8>(), size_of_val(values));
    // SAFETY: the memory of the values, which is this function's alone. Zeros make bytes of it that may be lent.
    let bytes = unsafe {
        start.write_bytes(0, bytes);
        core::slice::from_raw_parts_mut(start, bytes)
    };
    memory.read(address, bytes)
}
