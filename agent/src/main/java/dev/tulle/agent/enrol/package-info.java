/** Enrolment: what a workload asks for, its lease, its cgroup and its readiness. */
@NullMarked
package dev.tulle.agent.enrol;

import org.jspecify.annotations.NullMarked;
