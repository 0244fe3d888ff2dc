"""What a map of a material is of, as its name tells by the usual conventions, and how much it weighs beside others."""

from __future__ import annotations

import re

ROLES = {
    "color": 1.0,
    "normal": 0.6,
    "height": 1.0,
    "roughness": 0.4,
    "metallic": 0.4,
    "specular": 0.4,
    "ao": 0.4,
    "packed": 0.4,
    "emission": 0.5,
    "alpha": 0.5,
    "id": 0.5,
    "other": 0.25,
}
"""Each role and its weight: what share of the leading map's spread a map's is made before patches are compared."""

WORDS = {
    "color": "basecolor base_color color colour col albedo diffuse diff basecolour base_colour",
    "normal": "normal normals normalgl normaldx normal_gl normal_dx normal_ogl nor_gl nor_dx nor normalmap"
    " normal_opengl normal_directx",
    "height": "height heightmap displacement disp",
    "roughness": "roughness rough",
    "metallic": "metallic metalness",
    "specular": "specular spec specularity",
    "ao": "ao ambientocclusion ambient_occlusion mixed_ao occlusion",
    "packed": "orm arm rma mra occlusionroughnessmetallic occlusionroughnessmetalness metallicsmoothness"
    " metallicroughness",
    "emission": "emission emissive emit",
    "alpha": "opacity",
    "id": "id idmap colorid materialid matid id_mask",
}
"""Endings of a file's name that tell, alone."""

SHORT = {
    "color": "d bc basemap base c alb",
    "normal": "n nrm norm nml",
    "height": "h dp bump",
    "roughness": "r rgh smoothness gloss glossiness",
    "metallic": "m metal mtl mtllc",
    "specular": "s",
    "ao": "o occ",
    "packed": "mask maskmap mask_map",
    "emission": "e em",
    "alpha": "a alpha mask_alpha transparency",
    "id": "ids",
}
"""Endings that tell among the maps of one material only: a picture called brushed_metal is of colour."""

_NO_ROLE = re.compile(
    r"(_(\d+k|\d+|png|jpg|jpeg|exr|tif|tiff|8bit|16bit|lod\d|udim|tile|synthesized?|fill|filled|render|rendered|seamless|mix|mixed|t\d{3}))+$"
)


def guessed(name: str, among: bool) -> str | None:
    """The role that a file's or an image's name ends in, None where it tells nothing; among: other maps of the same.

    "rock_04_nor_gl_2k.exr" -> "normal", "T_Rock_ORM" -> "packed", "Rock004_4K-JPG_AmbientOcclusion" -> "ao".
    """
    stem = re.sub(r"\.[A-Za-z]\w{1,4}$", "", name)
    stem = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", stem).lower()
    stem = _NO_ROLE.sub("", "_" + re.sub(r"[^a-z0-9]+", "_", stem).strip("_"))
    tokens = stem.split("_")[1:]
    tables = (WORDS, SHORT) if among else (WORDS,)
    for length in (3, 2, 1):
        end = "_".join(tokens[-length:])
        for joined in (end, end.replace("_", "")):
            for table in tables:
                for role, words in table.items():
                    if joined in words.split():
                        return role
    return None
