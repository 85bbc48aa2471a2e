/** What is known of services and their endpoints, and what of it the kernel can serve by itself. */
@NullMarked
package dev.tulle.agent.service;

import org.jspecify.annotations.NullMarked;
