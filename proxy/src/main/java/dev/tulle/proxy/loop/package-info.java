/** What belongs to one event loop: its clock of deadlines, its read buffer, its chance and its views of services. */
@NullMarked
package dev.tulle.proxy.loop;

import org.jspecify.annotations.NullMarked;
