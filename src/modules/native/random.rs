//! The native half of `random`: the Mersenne Twister with CPython's seeding.

use super::Natives;
use crate::meter::fuel;
use malachite_bigint::{BigInt, Sign};
use parking_lot::Mutex;
use rustpython_vm::builtins::{PyBytesRef, PyInt, PyIntRef, PyTupleRef, PyType};
use rustpython_vm::class::{PyClassImpl, StaticType};
use rustpython_vm::{Context, Py, PyObjectRef, PyPayload, PyRef, PyResult, VirtualMachine, pyclass};
use sha2::{Digest, Sha512};

const N: usize = 624;
const M: usize = 397;

/// Bits that `getrandbits` gives at most: as many as an int may have.
const MOST_BITS: u64 = 1 << 17;

pub(crate) fn install(natives: &mut Natives<'_>) -> PyResult<()> {
    drop(Twister::make_static_type());
    natives.function("_twister", |vm: &VirtualMachine| {
        Twister { state: Mutex::new(State::of_word(5489)) }.into_ref(&vm.ctx)
    });
    natives.function("_sha512", |bytes: PyBytesRef, vm: &VirtualMachine| -> PyResult<Vec<u8>> {
        fuel::charge(8 + bytes.as_bytes().len() as u64 / 16, vm)?;
        Ok(Sha512::digest(bytes.as_bytes()).to_vec())
    });
    Ok(())
}

/// A generator's state. It has no attributes but its methods, and stays in a private attribute of `Random`.
#[pyclass(module = false, name = "twister")]
#[derive(Debug)]
struct Twister {
    state: Mutex<State>,
}

impl PyPayload for Twister {
    fn class(_ctx: &Context) -> &'static Py<PyType> {
        Self::static_type()
    }
}

#[pyclass(flags(DISALLOW_INSTANTIATION, IMMUTABLETYPE))]
impl Twister {
    /// Seeds with the absolute value of an int.
    #[pymethod]
    fn seed(zelf: PyRef<Self>, seed: PyIntRef, vm: &VirtualMachine) -> PyResult<()> {
        let (_, bytes) = seed.as_bigint().to_bytes_le();
        let mut words: Vec<u32> = bytes
            .chunks(4)
            .map(|chunk| chunk.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte)))
            .collect();
        if words.is_empty() {
            words.push(0);
        }
        fuel::charge((2 * N + words.len()) as u64 / 16, vm)?;
        *zelf.state.lock() = State::of_key(&words);
        Ok(())
    }

    #[pymethod]
    fn random(zelf: PyRef<Self>, vm: &VirtualMachine) -> PyResult<f64> {
        let mut state = zelf.state.lock();
        let high = state.next(vm)? >> 5;
        let low = state.next(vm)? >> 6;
        Ok((f64::from(high) * 67_108_864.0 + f64::from(low)) * (1.0 / 9_007_199_254_740_992.0))
    }

    #[pymethod]
    fn getrandbits(zelf: PyRef<Self>, bits: PyObjectRef, vm: &VirtualMachine) -> PyResult<PyIntRef> {
        let bits = bits.try_index(vm)?;
        if bits.as_bigint().sign() == Sign::Minus {
            return Err(vm.new_value_error("number of bits must be non-negative"));
        }
        let bits = match u64::try_from(bits.as_bigint()) {
            Ok(bits) if bits <= MOST_BITS => bits,
            _ => return Err(vm.new_overflow_error(format!("getrandbits gives at most {MOST_BITS} bits in pycage"))),
        };
        let bytes = zelf.bytes_of(bits, vm)?;
        Ok(PyInt::from(BigInt::from_bytes_le(Sign::Plus, &bytes)).into_ref(&vm.ctx))
    }

    /// `getrandbits(8 * n)` as bytes, without the detour over an int.
    #[pymethod]
    fn randbytes(zelf: PyRef<Self>, count: PyIntRef, vm: &VirtualMachine) -> PyResult<Vec<u8>> {
        let Ok(count) = u32::try_from(count.as_bigint()) else {
            return Err(vm.new_overflow_error("too many bytes"));
        };
        let count = u64::from(count);
        fuel::reserve(2 * count, vm)?;
        let mut bytes = zelf.bytes_of(8 * count, vm)?;
        bytes.truncate(count as usize);
        Ok(bytes)
    }

    #[pymethod]
    fn getstate(zelf: PyRef<Self>, vm: &VirtualMachine) -> PyResult<PyTupleRef> {
        fuel::charge(N as u64 / 8, vm)?;
        let state = zelf.state.lock();
        let words = state.words.iter().map(|word| vm.ctx.new_int(*word).into());
        Ok(vm.ctx.new_tuple(words.chain([vm.ctx.new_int(state.index).into()]).collect()))
    }

    #[pymethod]
    fn setstate(zelf: PyRef<Self>, words: PyObjectRef, vm: &VirtualMachine) -> PyResult<()> {
        fuel::charge(N as u64 / 8, vm)?;
        let Ok(words) = words.downcast::<rustpython_vm::builtins::PyTuple>() else {
            return Err(vm.new_type_error("state vector must be a tuple"));
        };
        let [words @ .., index] = words.as_slice() else {
            return Err(vm.new_value_error("state vector is the wrong size"));
        };
        if words.len() != N {
            return Err(vm.new_value_error("state vector is the wrong size"));
        }
        let mut state = State { words: [0; N], index: index.clone().try_into_value(vm)? };
        if state.index > N {
            return Err(vm.new_value_error("invalid state"));
        }
        for (place, word) in state.words.iter_mut().zip(words) {
            *place = word.clone().try_into_value(vm)?;
        }
        *zelf.state.lock() = state;
        Ok(())
    }
}

impl Twister {
    /// The least significant word comes first; the last one gives its high bits.
    fn bytes_of(&self, bits: u64, vm: &VirtualMachine) -> PyResult<Vec<u8>> {
        fuel::charge(bits / 256, vm)?;
        let mut state = self.state.lock();
        let mut bytes = Vec::with_capacity(bits.div_ceil(32) as usize * 4);
        let mut left = bits;
        while left > 0 {
            let mut word = state.next(vm)?;
            if left < 32 {
                word >>= 32 - left;
            }
            bytes.extend(word.to_le_bytes());
            left = left.saturating_sub(32);
        }
        Ok(bytes)
    }
}

#[derive(Debug)]
struct State {
    words: [u32; N],
    index: usize,
}

impl State {
    fn of_word(seed: u32) -> State {
        let mut words = [seed; N];
        for index in 1..N {
            let before = words[index - 1];
            words[index] = 1_812_433_253u32.wrapping_mul(before ^ before >> 30).wrapping_add(index as u32);
        }
        State { words, index: N }
    }

    /// `init_by_array` of the authors' own code. `key` has a word at least.
    fn of_key(key: &[u32]) -> State {
        let mut state = State::of_word(19_650_218);
        let words = &mut state.words;
        let mixed = |words: &[u32; N], index: usize, factor: u32| {
            let before = words[index - 1];
            words[index] ^ (before ^ before >> 30).wrapping_mul(factor)
        };
        let (mut index, mut at) = (1, 0);
        for _ in 0..N.max(key.len()) {
            words[index] = mixed(words, index, 1_664_525).wrapping_add(key[at]).wrapping_add(at as u32);
            (index, at) = (index + 1, (at + 1) % key.len());
            if index == N {
                words[0] = words[N - 1];
                index = 1;
            }
        }
        for _ in 1..N {
            words[index] = mixed(words, index, 1_566_083_941).wrapping_sub(index as u32);
            index += 1;
            if index == N {
                words[0] = words[N - 1];
                index = 1;
            }
        }
        words[0] = 1 << 31;
        state
    }

    fn next(&mut self, vm: &VirtualMachine) -> PyResult<u32> {
        if self.index >= N {
            fuel::charge(N as u64 / 16, vm)?;
            self.renew();
        }
        let mut word = self.words[self.index];
        self.index += 1;
        word ^= word >> 11;
        word ^= word << 7 & 0x9d2c_5680;
        word ^= word << 15 & 0xefc6_0000;
        Ok(word ^ word >> 18)
    }

    fn renew(&mut self) {
        for index in 0..N {
            let joined = self.words[index] & 1 << 31 | self.words[(index + 1) % N] & !(1 << 31);
            let odd = if joined & 1 == 1 { 0x9908_b0df } else { 0 };
            self.words[index] = self.words[(index + M) % N] ^ joined >> 1 ^ odd;
        }
        self.index = 0;
    }
}
