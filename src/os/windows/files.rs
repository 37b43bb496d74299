//! The environment variable `FRAMEPOOL`, the files that it names, and standard error.
//!
//! All of it happens within the program's first allocation, or at its end, so nothing here allocates. Texts of the
//! system are UTF-16, and the crate's UTF-8: they are converted in pages of their own.

use core::ffi::CStr;
use core::ptr;
// Below `sync`: a model checker has no environment.
use core::sync::atomic::{
    AtomicPtr, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};
use std::alloc::System;

use super::super::{Errno, Mapping};
use super::api::{self, Handle};
use super::memory::{map_zeroed, unmap};

/// The value of `FRAMEPOOL` when this code was loaded. A program may change its environment later.
static VALUE: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());
/// `NOT_KEPT`, `UNSET`, or the bytes of the value plus `FIRST_LENGTH`. Written by the loader's callback (Release), and
/// read (Acquire) for `VALUE` and the bytes there.
static STATE: AtomicUsize = AtomicUsize::new(NOT_KEPT);
const NOT_KEPT: usize = 0;
const UNSET: usize = 1;
const FIRST_LENGTH: usize = 2;

/// Keeps the value for [`variable`]. For the loader's callback.
pub(super) fn keep_variable() {
    let value = read_variable();
    VALUE.store(value.map_or(ptr::null_mut(), |value| value.as_ptr().cast_mut()), Relaxed);
    STATE.store(value.map_or(UNSET, |value| value.len() + FIRST_LENGTH), Release);
}

/// Returns the value of `FRAMEPOOL`; `None` if it is not set.
pub(crate) fn variable() -> Option<&'static [u8]> {
    match STATE.load(Acquire) {
        NOT_KEPT => read_variable(),
        UNSET => None,
        // SAFETY: that many bytes, which were written before and stay.
        state => Some(unsafe { core::slice::from_raw_parts(VALUE.load(Relaxed), state - FIRST_LENGTH) }),
    }
}

/// Reads the value of `FRAMEPOOL`; `None` if it is not set. The pages that the value is in stay.
fn read_variable() -> Option<&'static [u8]> {
    // A unit of UTF-16 takes 3 bytes of UTF-8 at most.
    const MAX_BYTES: usize = 3;
    let name: [u16; 10] = [70, 82, 65, 77, 69, 80, 79, 79, 76, 0];
    // SAFETY: a valid name. Without room for the value, the call says how many units it has, its end included.
    let room = unsafe { api::GetEnvironmentVariableW(name.as_ptr(), ptr::null_mut(), 0) } as usize;
    if room == 0 {
        return None;
    }
    // The value lies behind the room for the text, at an even address.
    let behind = (room * MAX_BYTES).next_multiple_of(size_of::<u16>());
    let pages = map_zeroed(behind + room * size_of::<u16>(), &System)?;
    let text = pages.base().as_ptr();
    // SAFETY: the new pages have room for both, and no other thread knows them. They stay.
    unsafe {
        let value = text.byte_add(behind).cast::<u16>();
        let units = api::GetEnvironmentVariableW(name.as_ptr(), value, room as u32) as usize;
        // Otherwise it was changed in between.
        if units == 0 || units >= room {
            return None;
        }
        let value = core::slice::from_raw_parts(value, units);
        let mut bytes = 0;
        for char in char::decode_utf16(value.iter().copied()) {
            let char = char.unwrap_or(char::REPLACEMENT_CHARACTER);
            let rest = core::slice::from_raw_parts_mut(text.byte_add(bytes), char.len_utf8());
            bytes += char.encode_utf8(rest).len();
        }
        Some(core::slice::from_raw_parts(text, bytes))
    }
}

/// Reads the beginning of a file, as much as `buffer` has room for, and returns how many bytes these are. A pipe or a
/// device is denied, because it would have to be waited for.
pub(crate) fn read_file(path: &CStr, buffer: &mut [u8]) -> Result<usize, Errno> {
    let file = open(path, api::GENERIC_READ, api::OPEN_EXISTING)?;
    if !is_on_disk(file) {
        close(file);
        return Err(Errno::from_code(api::ERROR_BAD_FILE_TYPE).unwrap_or(Errno::UNSUPPORTED));
    }
    let mut len = 0;
    let outcome = loop {
        let rest = &mut buffer[len..];
        let mut read = 0;
        // SAFETY: a valid buffer of that length.
        let is_read =
            unsafe { api::ReadFile(file, rest.as_mut_ptr(), units(rest.len()), &mut read, ptr::null_mut()) }
                != 0;
        match (is_read, read as usize) {
            (false, _) => break Err(Errno::last()),
            (true, 0) => break Ok(len),
            (true, read) => len += read,
        }
    };
    close(file);
    outcome
}

/// Writes the whole text, without std's lock, which a thread may hold until the process ends.
pub(crate) fn write_to_stderr(text: &[u8]) {
    // SAFETY: the call takes a number.
    let file = unsafe { api::GetStdHandle(api::STANDARD_ERROR) };
    // There is no place to report a failure.
    let _ = write_to(file, text);
}

/// An output for a text that is written when the program ends.
#[derive(Clone, Copy)]
pub(crate) struct ExitOutput {
    /// A handle of the file, as a number. It is never closed.
    handle: usize,
    identity: Identity,
    is_file: bool,
    /// Whether the text takes the place of what is in the file: a file on a disk that is not standard output or standard
    /// error.
    replaces: bool,
}

/// The volume and the index of a file; zeros for what is on no disk.
pub(crate) type Identity = (u64, u64);

impl ExitOutput {
    /// The text in a file until the program ends. A killed program leaves it there.
    const NOT_ENDED: &[u8] = b"# The program has not ended yet.\n";

    /// Returns a duplicate of standard error. `None` if there is no standard error.
    pub(crate) fn standard_error() -> Option<Self> {
        let handle = standard(api::STANDARD_ERROR)?;
        let identity = identity_of(handle);
        Some(Self { handle: duplicate(handle)?.addr(), identity, is_file: false, replaces: false })
    }

    /// Opens a file, and creates it if it does not exist. What is in a file on a disk is gone from now on, unless it is
    /// standard output or standard error.
    pub(crate) fn file(path: &CStr) -> Result<Self, Errno> {
        let opened = open(path, api::GENERIC_WRITE, api::OPEN_ALWAYS)?;
        let (identity, is_on_disk) = (identity_of(opened), is_on_disk(opened));
        let is_same = |&handle: &Handle| is_on_disk && identity_of(handle) == identity;
        let standard =
            [api::STANDARD_OUTPUT, api::STANDARD_ERROR].into_iter().filter_map(standard).find(is_same);
        // A handle of its own would write over what the program writes there.
        let handle = match standard {
            None => opened,
            Some(standard) => {
                close(opened);
                duplicate(standard).ok_or_else(Errno::last)?
            }
        };
        let replaces = is_on_disk && standard.is_none();
        let output = Self { handle: handle.addr(), identity, is_file: true, replaces };
        // The program may still do its work if the text gets lost.
        let _ = output.write(Self::NOT_ENDED, true);
        Ok(output)
    }

    /// Whether the output is a file that a program named.
    pub(crate) fn is_file(self) -> bool {
        self.is_file
    }

    /// Returns what tells its file from others.
    pub(crate) fn identity(self) -> Identity {
        self.identity
    }

    /// Returns `true`: there is no `fork`.
    pub(crate) fn may_write(self) -> bool {
        true
    }

    /// Writes the whole text, in a file on a disk behind what is there or in its place.
    pub(crate) fn write(self, text: &[u8], is_first: bool) -> Result<(), Errno> {
        let file = ptr::without_provenance_mut(self.handle);
        if self.replaces {
            // SAFETY: the calls take a handle and numbers. If they fail, so does the write, or the text is behind the
            // old.
            unsafe {
                if is_first && api::SetFilePointerEx(file, 0, ptr::null_mut(), api::FILE_BEGIN) != 0 {
                    api::SetEndOfFile(file);
                }
                api::SetFilePointerEx(file, 0, ptr::null_mut(), api::FILE_END);
            }
        }
        write_to(file, text)
    }
}

/// Returns a standard handle; `None` if the program has none.
fn standard(which: u32) -> Option<Handle> {
    // SAFETY: the call takes a number.
    let handle = unsafe { api::GetStdHandle(which) };
    (!handle.is_null() && handle != api::INVALID_HANDLE).then_some(handle)
}

fn duplicate(handle: Handle) -> Option<Handle> {
    let mut new = ptr::null_mut();
    let (process, options) = (api::THIS_PROCESS, api::DUPLICATE_SAME_ACCESS);
    // SAFETY: the call takes any handle, and the place for the answer is valid. Programs that this one starts do not
    // inherit the duplicate.
    let is_new = unsafe { api::DuplicateHandle(process, handle, process, &mut new, 0, 0, options) } != 0;
    is_new.then_some(new)
}

fn write_to(file: Handle, mut text: &[u8]) -> Result<(), Errno> {
    while !text.is_empty() {
        let mut written = 0;
        // SAFETY: a valid buffer of that length.
        let is_written = unsafe {
            api::WriteFile(file, text.as_ptr(), units(text.len()), &mut written, ptr::null_mut()) != 0
        };
        if !is_written || written == 0 {
            return Err(Errno::last());
        }
        text = &text[(written as usize).min(text.len())..];
    }
    Ok(())
}

/// A number of bytes for a call that takes fewer than 2^32.
fn units(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

fn open(path: &CStr, access: u32, mode: u32) -> Result<Handle, Errno> {
    let wide = Wide::new(path).ok_or_else(Errno::last)?;
    // SAFETY: a valid path that ends with a zero.
    let file = unsafe {
        api::CreateFileW(wide.units(), access, api::SHARE_ALL, ptr::null(), mode, 0, ptr::null_mut())
    };
    if file == api::INVALID_HANDLE { Err(Errno::last()) } else { Ok(file) }
}

fn close(file: Handle) {
    // SAFETY: opened here, and not used any more.
    unsafe { api::CloseHandle(file) };
}

fn is_on_disk(file: Handle) -> bool {
    // SAFETY: the call takes any handle.
    unsafe { api::GetFileType(file) == api::FILE_TYPE_DISK }
}

fn identity_of(file: Handle) -> Identity {
    let mut information = api::FileInformation::default();
    // SAFETY: the call takes any handle, and the place for the answer is valid.
    let is_known = unsafe { api::GetFileInformationByHandle(file, &mut information) } != 0;
    let index = u64::from(information.index_high) << 32 | u64::from(information.index_low);
    if is_known { (information.volume.into(), index) } else { (0, 0) }
}

/// A path in UTF-16, with its end, in pages of its own.
struct Wide(Mapping);

impl Wide {
    fn new(path: &CStr) -> Option<Self> {
        let bytes = path.to_bytes();
        let pages = map_zeroed((bytes.len() + 1) * size_of::<u16>(), &System)?;
        let mut next = pages.base().as_ptr().cast::<u16>();
        for chunk in bytes.utf8_chunks() {
            let invalid = (!chunk.invalid().is_empty()).then_some(char::REPLACEMENT_CHARACTER);
            for char in chunk.valid().chars().chain(invalid) {
                let mut units = [0; 2];
                for &unit in char.encode_utf16(&mut units).iter() {
                    // SAFETY: the pages have room for a unit of each byte of the text and an end, which is there already.
                    unsafe {
                        next.write(unit);
                        next = next.add(1);
                    }
                }
            }
        }
        Some(Self(pages))
    }

    fn units(&self) -> *const u16 {
        self.0.base().as_ptr().cast()
    }
}

impl Drop for Wide {
    fn drop(&mut self) {
        // SAFETY: mapped by `new`, and not used any more.
        unsafe { unmap(self.0, &System) };
    }
}
