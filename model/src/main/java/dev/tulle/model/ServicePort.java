package dev.tulle.model;

/**
 * One port of a service.
 *
 * @param number the port that clients dial, 1 to 65535
 * @param targetPort the port of the endpoints, 1 to 65535
 * @param protocol what is spoken there
 * @param name the port's name, empty when it has none
 */
public record ServicePort(int number, int targetPort, AppProtocol protocol, String name) {}
