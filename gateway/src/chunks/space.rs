//! Space in the buffers that sealers and openers hand on.

use bytes::BytesMut;

/// Reserves memory for `needed` more bytes behind what the buffer holds.
///
/// What was handed on shares the buffer's memory. Once the reader has dropped it, that memory is
/// used again; until then new memory is taken, at least `capacity` bytes at once, so that what is
/// already in the buffer is not copied each time it grows by a little.
pub(super) fn make(buffer: &mut BytesMut, needed: usize, capacity: usize) {
    let enough = buffer.capacity() - buffer.len() >= needed;
    if enough || buffer.try_reclaim(needed) {
        return;
    }
    // Twice what is there, for a caller that collects more than is usual.
    let capacity = capacity.max(buffer.len() + needed.max(buffer.len()));
    let mut fresh = BytesMut::with_capacity(capacity);
    fresh.extend_from_slice(buffer);
    *buffer = fresh;
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::make;

    #[test]
    fn a_buffer_that_nobody_takes_from_grows_in_few_steps() {
        let mut buffer = BytesMut::new();
        let mut moves = 0;
        for _ in 0..1_000 {
            let place = buffer.as_ptr();
            make(&mut buffer, 100, 1_000);
            moves += u32::from(buffer.as_ptr() != place);
            buffer.extend_from_slice(&[1; 100]);
        }
        assert_eq!(buffer.len(), 100_000);
        assert!(moves <= 8, "{moves}");
    }

    #[test]
    fn memory_is_used_again_once_the_reader_dropped_it() {
        let mut buffer = BytesMut::with_capacity(1_000);
        buffer.extend_from_slice(&[1; 1_000]);
        let place = buffer.as_ptr();
        drop(buffer.split_to(990).freeze());
        make(&mut buffer, 900, 1_000);
        assert_eq!(buffer.as_ptr(), place);
        assert_eq!(buffer[..], [1; 10]);

        buffer.extend_from_slice(&[2; 900]);
        let held = buffer.split_to(900).freeze();
        make(&mut buffer, 900, 1_000);
        assert!(buffer.capacity() >= 1_000);
        assert_eq!(buffer[..], [2; 10]);
        assert_eq!(held.len(), 900);
    }
}
