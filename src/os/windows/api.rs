//! The functions of kernel32 that the backend calls, and their numbers.
//!
//! They are declared here because so few are needed: bindings for all of Windows would be the largest dependency of
//! the crate. Each is named and behaves as Microsoft documents it, and is there since Windows 8.1.

use core::ffi::{c_char, c_void};

pub(super) const MEM_COMMIT: u32 = 0x1000;
pub(super) const MEM_RESERVE: u32 = 0x2000;
pub(super) const MEM_RELEASE: u32 = 0x8000;
pub(super) const MEM_RESET: u32 = 0x8_0000;
pub(super) const PAGE_NOACCESS: u32 = 1;
pub(super) const PAGE_READWRITE: u32 = 4;

pub(super) const ERROR_INVALID_PARAMETER: i32 = 87;
pub(super) const ERROR_BAD_FILE_TYPE: i32 = 222;
pub(super) const ERROR_WORKING_SET_QUOTA: i32 = 1453;

/// The handle of this process.
pub(super) const THIS_PROCESS: Handle = core::ptr::without_provenance_mut(usize::MAX);
/// The handle of no file.
pub(super) const INVALID_HANDLE: Handle = core::ptr::without_provenance_mut(usize::MAX);
pub(super) const STANDARD_OUTPUT: u32 = -11_i32 as u32;
pub(super) const STANDARD_ERROR: u32 = -12_i32 as u32;

pub(super) const GENERIC_READ: u32 = 0x8000_0000;
pub(super) const GENERIC_WRITE: u32 = 0x4000_0000;
/// Other programs may read, write and delete the file meanwhile.
pub(super) const SHARE_ALL: u32 = 7;
pub(super) const OPEN_EXISTING: u32 = 3;
pub(super) const OPEN_ALWAYS: u32 = 4;
pub(super) const FILE_TYPE_DISK: u32 = 1;
pub(super) const FILE_BEGIN: u32 = 0;
pub(super) const FILE_END: u32 = 2;
pub(super) const DUPLICATE_SAME_ACCESS: u32 = 2;

pub(super) const SYNCHRONIZE: u32 = 0x10_0000;
pub(super) const WAIT_OBJECT_0: u32 = 0;
/// The library is named by an address in it, and stays loaded.
pub(super) const FROM_ADDRESS_PINNED: u32 = 5;

pub(super) type Handle = *mut c_void;

/// The state of a page of the working set.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct WorkingSetPage {
    pub(super) address: *const c_void,
    pub(super) state: usize,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(super) struct FileTime {
    pub(super) low: u32,
    pub(super) high: u32,
}

#[repr(C)]
#[derive(Default)]
pub(super) struct FileInformation {
    attributes: u32,
    times: [FileTime; 3],
    pub(super) volume: u32,
    size: [u32; 2],
    links: u32,
    pub(super) index_high: u32,
    pub(super) index_low: u32,
}

#[link(name = "kernel32")]
unsafe extern "system" {
    pub(super) fn VirtualAlloc(at: *mut c_void, bytes: usize, kind: u32, protection: u32) -> *mut c_void;
    pub(super) fn VirtualFree(at: *mut c_void, bytes: usize, kind: u32) -> i32;
    pub(super) fn VirtualProtect(at: *mut c_void, bytes: usize, protection: u32, old: *mut u32) -> i32;
    pub(super) fn VirtualLock(at: *mut c_void, bytes: usize) -> i32;
    pub(super) fn VirtualUnlock(at: *mut c_void, bytes: usize) -> i32;
    pub(super) fn K32QueryWorkingSetEx(process: Handle, pages: *mut WorkingSetPage, bytes: u32) -> i32;
    pub(super) fn GetLargePageMinimum() -> usize;
    pub(super) fn GetProcessWorkingSetSize(process: Handle, min: *mut usize, max: *mut usize) -> i32;
    pub(super) fn SetProcessWorkingSetSize(process: Handle, min: usize, max: usize) -> i32;
    pub(super) fn FlushProcessWriteBuffers();
    pub(super) fn GetLastError() -> u32;
    pub(super) fn SetLastError(code: u32);
    pub(super) fn GetCurrentProcessId() -> u32;
    pub(super) fn GetCurrentThreadId() -> u32;
    pub(super) fn OpenThread(access: u32, is_inherited: i32, thread: u32) -> Handle;
    pub(super) fn WaitForSingleObject(object: Handle, millis: u32) -> u32;
    pub(super) fn CloseHandle(object: Handle) -> i32;
    pub(super) fn GetModuleHandleA(name: *const c_char) -> Handle;
    pub(super) fn GetModuleHandleExW(flags: u32, address: *const c_void, module: *mut Handle) -> i32;
    pub(super) fn GetProcAddress(module: Handle, name: *const c_char) -> *const c_void;
    pub(super) fn QueryPerformanceCounter(count: *mut i64) -> i32;
    pub(super) fn QueryPerformanceFrequency(hertz: *mut i64) -> i32;
    pub(super) fn GetProcessTimes(
        process: Handle,
        created: *mut FileTime,
        ended: *mut FileTime,
        kernel: *mut FileTime,
        user: *mut FileTime,
    ) -> i32;
    pub(super) fn GetEnvironmentVariableW(name: *const u16, value: *mut u16, units: u32) -> u32;
    pub(super) fn GetStdHandle(which: u32) -> Handle;
    pub(super) fn DuplicateHandle(
        from: Handle,
        handle: Handle,
        to: Handle,
        new: *mut Handle,
        access: u32,
        is_inherited: i32,
        options: u32,
    ) -> i32;
    pub(super) fn CreateFileW(
        path: *const u16,
        access: u32,
        share: u32,
        security: *const c_void,
        mode: u32,
        flags: u32,
        template: Handle,
    ) -> Handle;
    pub(super) fn GetFileType(file: Handle) -> u32;
    pub(super) fn GetFileInformationByHandle(file: Handle, information: *mut FileInformation) -> i32;
    pub(super) fn ReadFile(
        file: Handle,
        to: *mut u8,
        bytes: u32,
        read: *mut u32,
        overlapped: *mut c_void,
    ) -> i32;
    pub(super) fn WriteFile(
        file: Handle,
        from: *const u8,
        bytes: u32,
        written: *mut u32,
        overlapped: *mut c_void,
    ) -> i32;
    pub(super) fn SetFilePointerEx(file: Handle, distance: i64, new: *mut i64, from: u32) -> i32;
    pub(super) fn SetEndOfFile(file: Handle) -> i32;
}
