"""h2spec's cases, also the strict ones: what the proxy makes of frames, right and wrong ones."""
import ends
import verdicts

LIMIT = 300  # seconds for all cases
AT_LEAST = 145


def play(stage):
    """Case -> what is wrong with it; one that was passed over is wrong, too."""
    host, port = stage.address(ends.FRAMES)
    answer = stage.play(f"{ends.PEER} frames {host} {port}", LIMIT)
    found = verdicts.of(answer["text"])
    if answer["status"] or len(found) < AT_LEAST:
        raise RuntimeError(f"{stage.name}: {len(found)} of h2spec's cases, status {answer['status']}: {answer['text'][-600:]}")
    return found
