/**
 * libbpf through java.lang.foreign: objects, maps, programs, links, ring buffers and what surrounds them (bpf file system,
 * cgroups, socket diagnosis, feature probes). It knows bytes and layouts, never workloads, and is the only user of
 * java.lang.foreign in Tulle.
 *
 * <p>Life of an object: {@link dev.tulle.kernel.BpfObject#open open} reads the ELF file; programs are switched off, maps
 * sized and pins named; {@link dev.tulle.kernel.BpfObject#load(java.util.Set) load} asks the kernel and says which optional
 * programs it refused, and why; programs are attached and the links pinned. A restarted process opens the pins again and
 * puts the new programs into the old links.
 *
 * <p>Layouts come from BTF by field name ({@link dev.tulle.kernel.RecordLayout}, {@link dev.tulle.kernel.RecordCodec}).
 * Every descriptor is counted with its open site ({@link dev.tulle.kernel.LeakTracker}). Failures are {@link
 * dev.tulle.kernel.BpfException} with the error's name; a refused program is a {@link dev.tulle.kernel.BpfLoadException}
 * with a class of reason in one line and the whole verifier log.
 */
@NullMarked
package dev.tulle.kernel;

import org.jspecify.annotations.NullMarked;
